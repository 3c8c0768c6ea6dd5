// SPDX-License-Identifier: MIT
#include "progress.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT_WORK_MS 20 /* more than a sleeper uses by waking up now and then */

/* Processor time of process @pid and those it has waited for, if it is of @group. */
static long time_of(long pid, pid_t group)
{
	unsigned long user, system;
	long child_user, child_system;
	char path[64], line[512];
	const char *rest;
	FILE *file;
	int its_group;

	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	file = fopen(path, "r");
	if (!file)
		return 0;
	rest = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	fclose(file);
	if (!rest || sscanf(rest, ") %*c %*d %d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld",
			    &its_group, &user, &system, &child_user, &child_system) != 5)
		return 0;
	if (its_group != group)
		return 0;
	return ((long)(user + system) + child_user + child_system) * 1000 / sysconf(_SC_CLK_TCK);
}

static long time_of_group(pid_t group)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	long time_ms = 0;

	while (dir && (entry = readdir(dir)))
		if (strtol(entry->d_name, NULL, 10) > 0)
			time_ms += time_of(strtol(entry->d_name, NULL, 10), group);
	if (dir)
		closedir(dir);
	return time_ms;
}

bool progress_is_made(struct progress *progress, long limit_ms)
{
	long time_ms = time_of_group(progress->group);
	bool is_made = time_ms > progress->last_ms + AT_WORK_MS;

	progress->last_ms = time_ms;
	return is_made && time_ms < limit_ms;
}
