# Gives public corpora to the readers of JSON, in tests/corpora.
$(B)/tests/corpus_driver: $(B)/tests/lib/drivers/corpus_driver.o $(call obj,$(addprefix helper/unpack/,json.c json_scan.c manifest.c config.c)) $(LIBS)
	$(CC) $(LINKHARD) -o $@ $^ -ljson-c -lnettle
