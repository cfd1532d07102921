# The driver that plays ces-helper towards ces-unpack in tests.
$(B)/tests/unpack_driver: $(B)/tests/lib/drivers/unpack_driver.o $(LIBS)
	$(CC) $(LINKHARD) -o $@ $^ -lnettle
