# The batch system's part in tests/e2e/gpu.bats: cgroup v2's device programs.
$(B)/tests/deny_driver: $(B)/tests/lib/drivers/deny_driver.o
	$(CC) $(LINKHARD) -o $@ $^
