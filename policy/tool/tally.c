/* Sums of a journal by words. It must never grow with the journal: it sums up rows beyond a bound
 * by their second word, which names a user where there are users, and beyond another bound in one
 * row. Such a row says so. Users choose words, and must not hide what others did. */
#include "policy/tool/tally.h"

#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

#define BUCKETS   4096
#define RESTS_MAX 1000

static const char others[] = "(others)";

static size_t bucket_of(const char *const words[CES_TALLY_WORDS])
{
	size_t hash = 5381;

	for (size_t i = 0; i < CES_TALLY_WORDS; i++)
		for (const char *c = words[i]; *c != '\0'; c++)
			hash = hash * 33 + (unsigned char)*c + i;
	return hash % BUCKETS;
}

static int same(const struct ces_tally_row *row, const char *const words[CES_TALLY_WORDS])
{
	size_t i = 0;

	while (i < CES_TALLY_WORDS && strcmp(row->words[i], words[i]) == 0)
		i++;
	return i == CES_TALLY_WORDS;
}

/* A copy of the words, one after the other, in one allocation. */
static char *join(const char *const words[CES_TALLY_WORDS])
{
	size_t all = 0, used = 0;
	char *copy;

	for (size_t i = 0; i < CES_TALLY_WORDS; i++)
		all += strlen(words[i]) + 1;
	copy = malloc(all);
	for (size_t i = 0; copy != NULL && i < CES_TALLY_WORDS; i++) {
		size_t length = strlen(words[i]) + 1;

		memcpy(copy + used, words[i], length);
		used += length;
	}
	return copy;
}

/* words: of join; the row owns them. */
static struct ces_tally_row *append(struct ces_tally *tally, char *words, size_t *bucket)
{
	struct ces_tally_row *row = &tally->v[tally->n];

	*row = (struct ces_tally_row){.next = *bucket};
	for (size_t i = 0; i < CES_TALLY_WORDS; i++) {
		row->words[i] = words;
		words += strlen(words) + 1;
	}
	*bucket = ++tally->n;
	return row;
}

static int grow(struct ces_tally *tally)
{
	size_t cap = tally->cap == 0 ? 64 : tally->cap * 2;
	struct ces_tally_row *v;

	if (tally->buckets == NULL)
		tally->buckets = calloc(BUCKETS, sizeof(*tally->buckets));
	if (tally->buckets == NULL)
		return -1;
	if (tally->n < tally->cap)
		return 0;
	v = reallocarray(tally->v, cap, sizeof(*v));
	if (v == NULL)
		return -1;
	tally->v = v;
	tally->cap = cap;
	return 0;
}

/* *ret_bucket: where a new row goes. */
static struct ces_tally_row *look_up(const struct ces_tally *tally,
				     const char *const words[CES_TALLY_WORDS], size_t **ret_bucket)
{
	*ret_bucket = &tally->buckets[bucket_of(words)];
	for (size_t i = **ret_bucket; i != 0; i = tally->v[i - 1].next)
		if (same(&tally->v[i - 1], words))
			return &tally->v[i - 1];
	return NULL;
}

struct ces_tally_row *ces_tally_find(struct ces_tally *tally,
				     const char *const words[CES_TALLY_WORDS])
{
	const char *const rest[] = {others, words[1], others, others};
	static const char *const rests[] = {others, others, others, others};
	struct ces_tally_row *row;
	size_t *bucket;
	char *copy;

	if (grow(tally) != 0)
		return NULL;
	row = look_up(tally, words, &bucket);
	if (row == NULL && tally->n >= CES_TALLY_MAX) {
		words = rest;
		row = look_up(tally, words, &bucket);
	}
	if (row == NULL && tally->n >= CES_TALLY_MAX + RESTS_MAX) {
		words = rests;
		row = look_up(tally, words, &bucket);
	}
	if (row != NULL)
		return row;
	copy = join(words);
	return copy != NULL ? append(tally, copy, bucket) : NULL;
}

void ces_tally_add(struct ces_tally_row *row, const struct ces_tally_row *from)
{
	row->good += from->good;
	row->failed += from->failed;
	row->denied += from->denied;
	row->seconds += from->seconds;
	row->gpu_seconds += from->gpu_seconds;
	row->cpu_us += from->cpu_us;
	if (row->first[0] == '\0' || strcmp(from->first, row->first) < 0)
		memcpy(row->first, from->first, sizeof(row->first));
	if (strcmp(from->last, row->last) > 0)
		memcpy(row->last, from->last, sizeof(row->last));
}

static int by_words(const void *left, const void *right)
{
	const struct ces_tally_row *a = left, *b = right;
	int rest_a = strcmp(a->words[0], others) == 0, rest_b = strcmp(b->words[0], others) == 0;
	int order = rest_a - rest_b;

	for (size_t i = 0; order == 0 && i < CES_TALLY_WORDS; i++)
		order = strcmp(a->words[i], b->words[i]);
	return order;
}

void ces_tally_sort(struct ces_tally *tally)
{
	if (tally->n > 0)
		qsort(tally->v, tally->n, sizeof(tally->v[0]), by_words);
	free(tally->buckets);
	tally->buckets = NULL;
}

void ces_tally_free(struct ces_tally *tally)
{
	for (size_t i = 0; i < tally->n; i++)
		free(tally->v[i].words[0]);
	free(tally->v);
	free(tally->buckets);
	*tally = (struct ces_tally){0};
}
