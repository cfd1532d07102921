/* Sends events to the client. Must not send anything that the caller may not know: errors are CES's
 * own texts. */
#include "helper/session/report.h"

#include "common/event.h"
#include "common/io.h"
#include "helper/core/order.h"

void ces_report_send(const struct ces_wire_schema *schema, const void *event, bool matters)
{
	/* a client that let an event that matters time out gets no more events: CES does not wait
	 * for it again and again, and never sends it a frame with a hole (an event that is none is
	 * not begun) */
	static bool given_up;
	struct ces_error failed;

	if (!given_up && ces_wire_send(CES_FD_EVENT, schema, event,
				       ces_now_ms() + (matters ? 10000 : 0), &failed) < 0)
		given_up = matters && failed.code != CES_E_USAGE;
}

void ces_report_error(const struct ces_error *err, const char *contact, uint64_t ticket,
		      uint64_t position)
{
	struct ces_error copy = *err;
	struct ces_event_error event = {
	    .code = err->code, .text = copy.text, .ticket = ticket, .position = position};

	if (copy.rule[0] != '\0')
		event.rule = copy.rule;
	if (contact != NULL)
		event.contact = (char *)(uintptr_t)contact;
	ces_report_send(&ces_event_error_schema, &event, true);
}

int ces_report_done(void)
{
	ces_report_send(&ces_event_done_schema, &(struct ces_event_done){0}, true);
	return 0;
}

void ces_report_text(const char *text)
{
	ces_report_send(&ces_event_text_schema,
			&(struct ces_event_text){.text = (char *)(uintptr_t)text}, true);
}
