# Programs that run in a container of the tests, whose images have no libraries. And swap_driver, which a user runs: it
# needs none.
$(B)/tests/hog_driver $(B)/tests/kit_driver $(B)/tests/marks_driver $(B)/tests/swap_driver $(B)/tests/watch_driver: $(B)/tests/%: tests/lib/drivers/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -I. -D_GNU_SOURCE $(WARN) -O1 -static -o $@ $<
$(B)/tests/kit_driver: tests/lib/drivers/kit_tables.h
