// SPDX-License-Identifier: MIT
/*
 * judge.c - runs the claims of one program, each in a child of its own.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "claim.h"
#include "judge.h"
#include "progress.h"

#define LIMIT_S 20   /* a claim that takes longer and is not at work hangs */
#define LOOK_S	5    /* how often one that takes longer is looked at */
#define NR_FDS	4096 /* claims work below this number */

struct verdict *verdict;

/* ---- the child --------------------------------------------------------- */

/* Mark every open descriptor; returns how many. */
static int list_descriptors(bool *is_open)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int nr = 0;

	memset(is_open, 0, NR_FDS);
	while (dir && (entry = readdir(dir))) {
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] == '.' || fd == dirfd(dir) || fd >= NR_FDS)
			continue;
		is_open[fd] = true;
		nr++;
	}
	if (dir)
		closedir(dir);
	return nr;
}

/*
 * Open, and yet close() knows it not: interpoll sleeps on it and keeps the host's
 * hands off.  Whoever asks is about to fail for it, so it may be closed.
 */
static bool is_out_of_reach(int fd)
{
	return close(fd) < 0 && errno == EBADF && fcntl(fd, F_GETFD) >= 0;
}

static void expect_no_leak(const char *name, const bool *before)
{
	static bool after[NR_FDS];
	char link[64], target[128];
	ssize_t length;

	list_descriptors(after);
	for (int fd = 0; fd < NR_FDS; fd++) {
		if (after[fd] == before[fd])
			continue;
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		length = readlink(link, target, sizeof(target) - 1);
		target[length < 0 ? 0 : length] = '\0';
		if (after[fd] && is_out_of_reach(fd))
			continue;
		claim_fail(name, 0, "descriptor %d (%s) %s", fd, target,
			   after[fd] ? "was left open" : "was closed");
	}
}

static _Noreturn void run_child(const char *name, void (*body)(void))
{
	static bool before[NR_FDS];

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	list_descriptors(before);
	body();
	expect_no_leak(name, before);
	_exit(0);
}

/* ---- the parent -------------------------------------------------------- */

/* The one line of a file of thread @tid of process @pid; empty if there is none. */
static void read_task_line(pid_t pid, const char *tid, const char *name, char *line, int size)
{
	char path[80];
	FILE *file;

	line[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/task/%.16s/%s", (int)pid, tid, name);
	file = fopen(path, "r");
	if (!file)
		return;
	if (!fgets(line, size, file))
		line[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	fclose(file);
}

/* Where every thread of a hung child sleeps, for the report. */
static void describe_hang(pid_t pid, char *text, size_t size)
{
	char path[80], comm[32], call[160];
	struct dirent *entry;
	size_t used;
	DIR *dir;

	used = (size_t)snprintf(text, size, "hangs after %s:%d;", verdict->file, verdict->line);
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)) && used < size) {
		if (entry->d_name[0] == '.')
			continue;
		read_task_line(pid, entry->d_name, "comm", comm, sizeof(comm));
		read_task_line(pid, entry->d_name, "syscall", call, sizeof(call));
		used += (size_t)snprintf(text + used, size - used,
					 "\n#   thread %.16s (%s) in call %s", entry->d_name, comm,
					 call);
	}
	if (dir)
		closedir(dir);
}

/* Wait for the child; true if its time was up and it had to be killed. */
static bool await_child(pid_t pid, int *status, char *text, size_t size)
{
	struct pollfd watched = {.fd = pidfd_open(pid, 0), .events = POLLIN};
	struct progress progress = {.group = pid};
	long limit_s = LIMIT_S; /* of processor time, too */
	bool is_hung = false;
	int ready;

	do
		ready = poll(&watched, 1, LIMIT_S * 1000);
	while (ready < 0 && errno == EINTR);
	if (ready == 0 && atomic_load(&verdict->more_s) > 0)
		ready = poll(&watched, 1, atomic_load(&verdict->more_s) * 1000);
	limit_s += atomic_load(&verdict->more_s);
	while (ready == 0 && progress_is_made(&progress, limit_s * 1000))
		ready = poll(&watched, 1, LOOK_S * 1000);
	if (ready == 0) {
		is_hung = true;
		describe_hang(pid, text, size);
	}
	close(watched.fd);
	kill(-pid, SIGKILL); /* its children too; our own group is another one */
	if (is_hung)
		kill(pid, SIGKILL);
	waitpid(pid, status, 0);
	return is_hung;
}

enum judgement {
	HOLDS,
	DOES_NOT_HOLD,
	IMPOSSIBLE
};

/* Run @body in a child; unless it holds, why is in @text. */
static enum judgement judge(const char *name, void (*body)(void), char *text, size_t size)
{
	int status;
	pid_t pid;

	memset(verdict, 0, sizeof(*verdict));
	verdict->file = name;
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		run_child(name, body);
	if (pid < 0) {
		snprintf(text, size, "fork failed: %s", strerrorname_np(errno));
		return DOES_NOT_HOLD;
	}
	setpgid(pid, pid);
	if (await_child(pid, &status, text, size))
		return DOES_NOT_HOLD;
	if (WIFEXITED(status) && WEXITSTATUS(status) == IMPOSSIBLE_STATUS) {
		snprintf(text, size, "%s", verdict->text);
		return IMPOSSIBLE;
	}
	if (atomic_load(&verdict->is_written))
		snprintf(text, size, "%s", verdict->text);
	else if (WIFSIGNALED(status))
		snprintf(text, size, "killed by SIG%s after %s:%d", sigabbrev_np(WTERMSIG(status)),
			 verdict->file, verdict->line);
	else if (WEXITSTATUS(status) != 0)
		snprintf(text, size, "exited with %d after %s:%d", WEXITSTATUS(status),
			 verdict->file, verdict->line);
	else
		return HOLDS;
	return DOES_NOT_HOLD;
}

/* Run one claim as its mode asks for, and print its line. */
static enum judgement run_claim(const struct claim *claim)
{
	bool is_excepted = claim->except && mode_is_one_of(claim->except);
	static char text[2200];
	enum judgement judgement;

	text[0] = '\0';
	judgement =
		judge(claim->name, is_excepted && claim->deviation ? claim->deviation : claim->body,
		      text, sizeof(text));
	if (judgement == IMPOSSIBLE) {
		printf("not possible %s # %s\n", claim->name, text);
		return judgement;
	}
	if (is_excepted && !claim->deviation) {
		snprintf(text, sizeof(text), "holds after all: remove the exception");
		judgement = judgement == HOLDS ? DOES_NOT_HOLD : HOLDS;
	}
	printf("%s %s", judgement == HOLDS ? "ok" : "not ok", claim->name);
	if (is_excepted)
		printf(" # deviation: %s", claim->reason);
	putchar('\n');
	if (judgement != HOLDS)
		printf("# %s\n", text);
	if (judgement == DOES_NOT_HOLD && verdict->note[0])
		printf("# %s\n", verdict->note);
	return judgement;
}

static bool is_asked_for(const struct claim *claim, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], claim->name) == 0)
			return true;
	return argc < 2;
}

/* usage: PROGRAM [CLAIM...] */
int main(int argc, char **argv)
{
	int nr_passed = 0, nr_failed = 0;
	enum judgement judgement;

	claim_read_mode();
	/* Claims may close everything from 3 on; what our caller left open is not theirs. */
	close_range(3, ~0U, 0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	verdict = mmap(NULL, sizeof(*verdict), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (verdict == MAP_FAILED)
		return 2;
	for (const struct claim *claim = claim_list(); claim; claim = claim->next) {
		if (!is_asked_for(claim, argc, argv))
			continue;
		if (claim->only && !mode_is_one_of(claim->only)) {
			printf("not claimed %s # %s\n", claim->name, claim->reason);
			continue;
		}
		judgement = run_claim(claim);
		nr_passed += judgement == HOLDS;
		nr_failed += judgement == DOES_NOT_HOLD;
	}
	printf("%d passed, %d failed\n", nr_passed, nr_failed);
	return nr_failed > 0 || nr_passed == 0;
}
