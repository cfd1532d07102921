# The program that plays the helper for ces-fetch in tests/e2e/fetch*.bats.
$(B)/tests/fetch_driver: $(B)/tests/lib/drivers/fetch_driver.o $(LIBS)
	$(CC) $(LINKHARD) -o $@ $^ -lnettle
