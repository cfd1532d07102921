# The program that takes memory in tests/e2e/limits.bats; runs in an image without libraries.
$(B)/tests/hog_driver: tests/lib/hog_driver.c
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -D_GNU_SOURCE $(WARN) -O1 -static -o $@ $<
