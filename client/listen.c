/* Reads events for every command. It must not judge them: the listener says what an answer
 * means. */
#include "client/listen.h"

#include "client/say.h"

#include "common/event.h"
#include "common/frame.h"

#define TELL(member)                                                                               \
	do {                                                                                       \
		if (to->member != NULL)                                                            \
			to->member(context, &event->member);                                       \
	} while (0)

static void tell(const struct ces_event *event, const struct ces_listener *to, void *context)
{
	switch ((enum ces_frame)event->type) {
	case CES_FRAME_PROGRESS:
		TELL(progress);
		break;
	case CES_FRAME_STARTED:
		TELL(started);
		break;
	case CES_FRAME_EXITED:
		TELL(exited);
		break;
	case CES_FRAME_ERROR:
		TELL(error);
		break;
	case CES_FRAME_TEXT:
		TELL(text);
		break;
	case CES_FRAME_IMAGE:
		TELL(image);
		break;
	case CES_FRAME_RUN:
		TELL(run);
		break;
	case CES_FRAME_DONE:
		TELL(done);
		break;
	case CES_FRAME_REQUEST:
	case CES_FRAME_CONTROL:
	case CES_FRAME_FETCH_GET:
	case CES_FRAME_FETCH_STATUS:
	case CES_FRAME_UNPACK_MANIFEST:
	case CES_FRAME_UNPACK_LAYER:
	case CES_FRAME_UNPACK_ERROR:
	case CES_FRAME_UNPACK_SIGNATURES:
	case CES_FRAME_IMAGE_RECORD:
	case CES_FRAME_GRANT:
	case CES_FRAME_RUN_RECORD:
	default:
		break; /* (ces_session_next lets none of these through) */
	}
}

bool ces_listen(struct ces_session *session, const struct ces_listener *to, void *context)
{
	struct ces_event event = {0};
	struct ces_error err;
	int got = ces_session_next(session, &event, &err);
	bool more;

	if (got == 0)
		ces_error_set(&err, CES_E_INTERNAL,
			      "ces-helper ended without an answer; type: ces-client doctor");
	if (got <= 0) {
		if (to->lost != NULL)
			to->lost(context, &err);
		else
			ces_say_failure(&err);
		return false;
	}
	tell(&event, to, context);
	more = !ces_event_is_final(&event);
	ces_event_free(&event);
	return more;
}

int ces_listen_to(const char *helper, const struct ces_request *request,
		  const struct ces_listener *to, void *context, struct ces_error *err)
{
	struct ces_session session;
	int result;

	if (ces_session_start(helper, &CES_STDIO_NONE, &session, err) < 0)
		return -1;
	result = ces_session_send(&session, request, err);
	while (result == 0 && ces_listen(&session, to, context))
		;
	ces_session_end(&session);
	return result;
}
