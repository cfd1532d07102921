# A library, built here, since not every machine that tests has a compiler.
$(B)/tests/cuda_driver: tests/lib/drivers/cuda_driver.c
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -D_GNU_SOURCE $(WARN) -O1 -shared -fPIC -Wl,-soname,libcuda.so.1 -o $@ $<
