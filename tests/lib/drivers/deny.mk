# A batch system's half of cgroup v2's device programs in tests/e2e/gpu.bats.
$(B)/tests/deny_driver: $(B)/tests/lib/drivers/deny_driver.o
	$(CC) $(LINKHARD) -o $@ $^
