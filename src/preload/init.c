// SPDX-License-Identifier: MIT
/*
 * init.c - the library's beginning and end.
 *
 * The constructor makes the library ready, unless an earlier call did: other
 * libraries' constructors may run first.  Two threads may arrive at once, so
 * the first holds a lock; a call that the start itself provokes is forwarded.
 */
#include "preload/preload.h"

#include <pthread.h>

#include "base/lock.h"
#include "engine/eventpoll.h"
#include "fd/table.h"
#include "preload/syscall.h"
#include "real/jmpbuf.h"
#include "real/ownfd.h"
#include "settings/settings.h"
#include "trace/session.h"
#include "trace/summary.h"

enum preload_state preload_state;
bool preload_refuses_io_uring;

static struct lock preload_lock = LOCK_INIT(LOCK_TABLE); /* held while starting */
static struct settings preload_settings;

static __thread bool preload_is_starting __attribute__((tls_model("initial-exec")));

static void preload_open_session(const struct settings *settings)
{
	const struct session_identity identity = {
		.source = settings_source_name(settings->source),
		.driver = settings_driver_name(settings->driver),
		.flags = (settings->passthrough ? SESSION_PASSTHROUGH : 0) |
			 (settings->strict ? SESSION_STRICT : 0),
	};

	/* a session that cannot be joined is replaced by a private one: we count on */
	session_open(settings_find_variable(environ, SESSION_VARIABLE), &identity);
}

static void preload_configure(const struct settings *settings)
{
	const struct ep_config config = {
		.source = settings->source == SETTINGS_SOURCE_POLL ? &source_poll : &source_epoll,
		.has_loop = settings->driver == SETTINGS_DRIVER_THREAD,
		.is_strict = settings->strict,
		.has_selfcheck = settings->selfcheck,
		.spins = settings->busy_poll != SETTINGS_BUSY_POLL_OFF,
		.spin_ns = settings->busy_poll_ns,
		.names = table_names,
	};

	ownfd_was_taken = table_set_internal;
	ownfd_was_closed = table_clear_internal;
	preload_refuses_io_uring = settings->no_io_uring;
	ep_configure(&config);
	pthread_atfork(process_fork_prepare, process_fork_parent, process_fork_child);
}

static enum preload_state preload_make_ready(void)
{
	struct settings *settings = &preload_settings;

	real_init();
	jmpbuf_init();
	syscall_init();
	settings_parse_environ(settings, environ);
	preload_open_session(settings);
	if (settings->passthrough) {
		pthread_atfork(NULL, NULL, session_fork_child);
		return PRELOAD_PASSTHROUGH;
	}
	preload_configure(settings);
	return PRELOAD_ACTIVE;
}

bool preload_start(void)
{
	int saved_errno = errno;
	enum preload_state state = __atomic_load_n(&preload_state, __ATOMIC_ACQUIRE);

	if (state == PRELOAD_PASSTHROUGH || preload_is_starting || !environ)
		return false;
	lock_acquire(&preload_lock);
	preload_is_starting = true;
	if (preload_state == PRELOAD_NEW)
		__atomic_store_n(&preload_state, preload_make_ready(), __ATOMIC_RELEASE);
	preload_is_starting = false;
	lock_release(&preload_lock);
	errno = saved_errno;
	return preload_state == PRELOAD_ACTIVE && !process_is_borrowed();
}

static __attribute__((constructor(101))) void preload_begin(void)
{
	preload_start();
}

static __attribute__((destructor(101))) void preload_end(void)
{
	if (preload_state == PRELOAD_NEW || process_is_borrowed())
		return;
	session_close();
	summary_write_at_exit(preload_settings.summary);
}
