// SPDX-License-Identifier: MIT
/*
 * session.c - a process arrives in its session: mapping, process slot, fork.
 * See session.h for ownership and for what a kill may cost.
 */
#include "trace/session_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "real/sys.h"

struct session_place session_place;

/* -------- process slots -------- */

static uint64_t read_pid_ns(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) == 0 ? st.st_ino : 0;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* A process that shares our pid name space and does not exist any more. */
static bool is_gone(const struct process *process, uint64_t pid_ns)
{
	int saved_errno = errno;
	bool gone;

	if (process->pid_ns != pid_ns)
		return false;
	gone = kill(process->pid, 0) < 0 && errno == ESRCH;
	errno = saved_errno;
	return gone;
}

/* Empty a slot that we hold CLAIMED: its history becomes the crowd's. */
static void retire_process(struct session *session, uint32_t slot)
{
	struct process *process = &session->process[slot];
	struct process *crowd = &session->process[CROWD];

	session_fold_blocks(session, slot);
	session_fold_counts(&process->folded, &crowd->folded);
	session_fold_counts(&process->shared, &crowd->folded);
	add(&crowd->nr_eventpolls, process->nr_eventpolls);
	add(&crowd->nr_shared, process->nr_shared);
	add(&crowd->nr_earlier, 1);
	process->nr_eventpolls = process->nr_shared = 0;
}

/* Take the slot of a process that is gone.  Only when all slots have been claimed. */
static uint32_t claim_used_slot(struct session *session, uint64_t pid_ns)
{
	struct process *process;
	uint32_t slot, state;

	for (slot = 0; slot < SESSION_NR_PROCESSES; slot++) {
		process = &session->process[slot];
		state = load(&process->state);
		if (!session_is_taken(state))
			continue;
		if (state != SESSION_REPLACED && !is_gone(process, pid_ns))
			continue;
		if (!swap(&process->state, &state, SESSION_CLAIMED))
			continue;
		retire_process(session, slot);
		return slot;
	}
	return CROWD;
}

static uint32_t claim_slot(struct session *session, uint64_t pid_ns)
{
	uint32_t next = load(&session->nr_processes);

	while (next < SESSION_NR_PROCESSES)
		if (swap(&session->nr_processes, &next, next + 1)) {
			store(&session->process[next].state, SESSION_CLAIMED);
			return next;
		}
	return claim_used_slot(session, pid_ns);
}

/*
 * Our number had a process before us: ourselves before exec, or one that is gone.
 * While blocks are getting scarce, look for the dead in general.
 */
static void sweep(struct session *session, int pid, uint64_t pid_ns)
{
	bool is_scarce = load_any(&session->nr_blocks) > SESSION_NR_BLOCKS / 4 * 3;
	uint32_t limit = load(&session->nr_processes);
	struct process *process;
	uint32_t slot, state;

	for (slot = 0; slot < limit; slot++) {
		process = &session->process[slot];
		state = load(&process->state);
		if (state != SESSION_RUNNING && state != SESSION_EXITED)
			continue;
		if (process->pid == pid && process->pid_ns == pid_ns) {
			session_fold_blocks(session, slot);
			if (state == SESSION_RUNNING)
				swap(&process->state, &state, SESSION_REPLACED);
		} else if (is_scarce && is_gone(process, pid_ns)) {
			session_fold_blocks(session, slot);
		}
	}
}

/* What a slot is filled with, whoever claims it. */
struct arrival {
	const char *name;
	const char *source;
	const char *driver;
	unsigned int flags;
	int parent; /* slot or -1 */
	uint64_t pid_ns;
};

/* The handshake. */
static void arrive(struct session *session, const struct arrival *arrival)
{
	uint32_t slot = claim_slot(session, arrival->pid_ns);
	struct process *process = &session->process[slot];

	session_place.session = session;
	session_place.process = process;
	session_place.slot = slot;
	if (slot == CROWD) {
		add(&process->nr_earlier, 1);
		add(&session->nr_arrived, 1);
		return;
	}
	process->flags = arrival->flags;
	process->pid = getpid();
	process->ppid = getppid();
	process->parent = arrival->parent;
	process->pid_ns = arrival->pid_ns;
	process->start_ns = now_ns();
	session_copy_word(process->name, sizeof(process->name), arrival->name);
	session_copy_word(process->source, sizeof(process->source), arrival->source);
	session_copy_word(process->driver, sizeof(process->driver), arrival->driver);
	store(&process->state, SESSION_RUNNING);
	__atomic_fetch_add(&session->nr_arrived, 1, __ATOMIC_RELEASE);
}

/* -------- the library's side -------- */

static int check_file(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return -EPERM;
	return (uint64_t)st.st_size == sizeof(struct session) ? 0 : -EPROTO;
}

static bool is_ours(const struct session *session)
{
	return !memcmp(session->magic, SESSION_MAGIC, sizeof(session->magic)) &&
	       session->version == SESSION_VERSION && session->nr_probes == PROBE_MAX &&
	       session->size == sizeof(*session);
}

static int map_file(const char *path, struct session **ret)
{
	struct session *session;
	int fd, err;

	if (getauxval(AT_SECURE))
		return -EPERM;
	fd = sys_openat(AT_FDCWD, path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return fd;
	err = check_file(fd);
	if (!err) {
		session = mmap(NULL, sizeof(*session), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		err = session == MAP_FAILED ? -errno : 0;
	}
	sys_close(fd);
	if (err)
		return err;
	if (!is_ours(session)) {
		munmap(session, sizeof(*session));
		return -EPROTO;
	}
	*ret = session;
	return 0;
}

static struct session *map_private(void)
{
	struct session *session = mmap(NULL, sizeof(*session), PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (session == MAP_FAILED)
		return NULL;
	/* A few pages of it are used; do not spend a huge one. */
	madvise(session, sizeof(*session), MADV_NOHUGEPAGE);
	session_layout_init(session);
	return session;
}

int session_open(const char *path, const struct session_identity *identity)
{
	struct session *session = NULL;
	struct arrival arrival = {
		.source = identity->source,
		.driver = identity->driver,
		.flags = identity->flags,
		.parent = -1,
	};
	char name[SESSION_NAME_SIZE] = "?";
	int saved_errno = errno;
	int err = 0;

	if (path && path[0])
		err = map_file(path, &session);
	if (!session) {
		session_place.is_private = true;
		session = map_private();
	}
	if (session) {
		prctl(PR_GET_NAME, name);
		arrival.name = name;
		arrival.pid_ns = read_pid_ns();
		sweep(session, getpid(), arrival.pid_ns);
		arrive(session, &arrival);
	} else if (!err) {
		err = -ENOMEM;
	}
	errno = saved_errno;
	return err;
}

void session_close(void)
{
	uint32_t running = SESSION_RUNNING;

	/* A vfork child that exits normally must not close its parent's slot. */
	if (session_place.process && session_place.slot != CROWD &&
	    session_place.process->pid == getpid())
		swap(&session_place.process->state, &running, SESSION_EXITED);
}

void session_fork_child(void)
{
	struct arrival arrival = {.parent = (int)session_place.slot};
	const struct process *parent = session_place.process;
	int saved_errno = errno;

	if (!parent)
		return;
	arrival.name = parent->name;
	arrival.source = parent->source;
	arrival.driver = parent->driver;
	arrival.flags = parent->flags;
	/* unshare(CLONE_NEWPID) moves children only: ask anew. */
	arrival.pid_ns = read_pid_ns();
	sweep(session_place.session, getpid(), arrival.pid_ns);
	arrive(session_place.session, &arrival);
	errno = saved_errno;
}

const struct session *session_own(unsigned int *ret_slot)
{
	if (session_place.session && ret_slot)
		*ret_slot = session_place.slot;
	return session_place.session;
}

bool session_is_private(void)
{
	return session_place.is_private;
}
