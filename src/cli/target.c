// SPDX-License-Identifier: MIT
/*
 * target.c - from a command's name to the ELF file that runs, refusing on the way.
 */
#include "cli/target.h"

#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cli/path.h"
#include "cli/say.h"
#include "cli/script.h"

/* The kernel goes through so many files that are not ELF, then it is ELOOP. */
#define NR_INTERPRETERS 5

/* What a program must be like. */
struct demand {
	struct image library_image;
	char loader[PATH_MAX]; /* of this very command, as a sample of our C library */
};

static __attribute__((format(printf, 3, 4))) int refuse(struct target *target, int status,
							const char *format, ...)
{
	bool is_script = strcmp(target->runs, target->path) != 0;
	va_list args;
	int len;

	len = snprintf(target->why, sizeof(target->why), "'%s' %s", target->path,
		       is_script ? "is run by " : "");
	if (is_script)
		len += snprintf(target->why + len, sizeof(target->why) - (size_t)len,
				"'%s', which ", target->runs);
	va_start(args, format);
	vsnprintf(target->why + len, sizeof(target->why) - (size_t)len, format, args);
	va_end(args);
	return status;
}

/* -------- privileges: the dynamic linker ignores the environment (AT_SECURE) -------- */

static bool may_gain_privileges(const char *path)
{
	struct statvfs fs;

	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		return false;
	return statvfs(path, &fs) == 0 && !(fs.f_flag & ST_NOSUID);
}

static int check_privileges(struct target *target)
{
	struct stat st;

	if (!may_gain_privileges(target->runs) || stat(target->runs, &st) < 0)
		return 0;
	if ((st.st_mode & S_ISUID) && st.st_uid != getuid())
		return refuse(target, SAY_OWN_ERROR,
			      "is setuid: the dynamic linker preloads nothing into it");
	if ((st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP) && st.st_gid != getgid())
		return refuse(target, SAY_OWN_ERROR,
			      "is setgid: the dynamic linker preloads nothing into it");
	/* Root gains nothing by them. */
	if (getuid() != 0 && getxattr(target->runs, "security.capability", NULL, 0) > 0)
		return refuse(target, SAY_OWN_ERROR,
			      "has file capabilities: the dynamic linker preloads nothing into it");
	return 0;
}

/* -------- the ELF file -------- */

static bool is_same_file(const char *path, const char *other)
{
	struct stat a, b;

	return stat(path, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

static int check_loader(struct target *target, const struct demand *demand)
{
	const char *loader = target->image.loader;

	if (!loader[0]) {
		/* The loader is static itself, and preloads into what it is told to run. */
		if (is_same_file(target->runs, demand->loader))
			return 0;
		return refuse(target, SAY_OWN_ERROR,
			      "is statically linked: no library can be preloaded into it");
	}
	if (access(loader, F_OK) < 0)
		return refuse(target, SAY_NOT_FOUND, "needs the dynamic linker '%s': %s", loader,
			      strerror(errno));
	if (strcmp(path_name(loader), path_name(demand->loader)))
		return refuse(target, SAY_OWN_ERROR,
			      "uses another C library's dynamic linker, '%s': "
			      "libinterpoll.so is made for '%s'",
			      loader, demand->loader);
	return 0;
}

static int check_image(struct target *target, const struct demand *demand)
{
	const struct image *image = &target->image, *library = &demand->library_image;
	char is[64], wants[64];

	if (image->type != ET_EXEC && image->type != ET_DYN)
		return refuse(target, SAY_CANNOT_RUN, "is an ELF file, but not a program");
	if (image->class != library->class || image->data != library->data ||
	    image->machine != library->machine)
		return refuse(target, SAY_OWN_ERROR,
			      "is made for another machine, %s: libinterpoll.so is %s",
			      image_describe(image, is, sizeof(is)),
			      image_describe(library, wants, sizeof(wants)));
	return check_loader(target, demand);
}

/* -------- the chain -------- */

static int refuse_errno(struct target *target, int err)
{
	return refuse(target, err == -ENOENT ? SAY_NOT_FOUND : SAY_CANNOT_RUN,
		      "cannot be executed: %s", strerror(-err));
}

static int follow(struct target *target, const struct demand *demand, int nr_interpreters);

/* Go on with the program that env, at the end of the chain so far, will start. */
static int follow_env(struct target *target, const struct demand *demand, const char *argument,
		      int nr_interpreters)
{
	char command[SCRIPT_LINE_SIZE];
	bool clears;
	int err;

	script_parse_env(argument, command, &clears);
	if (clears)
		return refuse(target, SAY_OWN_ERROR,
			      "starts it with an empty environment: nothing can be preloaded");
	if (!command[0])
		return 0;
	err = path_find(command, target->runs, sizeof(target->runs));
	if (err) {
		snprintf(target->runs, sizeof(target->runs), "%s", command);
		return refuse_errno(target, err);
	}
	return follow(target, demand, nr_interpreters);
}

static int follow_script(struct target *target, const struct demand *demand, int nr_interpreters)
{
	struct script script;
	int err = script_read(target->runs, &script);
	int status;

	if (err == -EACCES)
		return 0;
	if (!err && nr_interpreters == NR_INTERPRETERS)
		err = -ELOOP;
	if (err)
		return refuse_errno(target, err);
	strcpy(target->runs, script.interpreter);
	/* A relative interpreter is relative to the working directory, never to PATH. */
	if (access(target->runs, F_OK) < 0)
		return refuse_errno(target, -errno);
	status = follow(target, demand, nr_interpreters + 1);
	if (status || strcmp(path_name(script.interpreter), "env"))
		return status;
	return follow_env(target, demand, script.argument, nr_interpreters + 1);
}

/* From target->runs to the ELF file that runs in the end. */
static int follow(struct target *target, const struct demand *demand, int nr_interpreters)
{
	int err, status;

	if (access(target->runs, X_OK) < 0)
		return refuse_errno(target, -errno);
	err = image_read(target->runs, &target->image);
	if (err == -ENOEXEC)
		return follow_script(target, demand, nr_interpreters);
	status = check_privileges(target);
	if (status)
		return status;
	/* Executable but not readable: only the handshake can tell. */
	target->is_known = !err;
	return err ? 0 : check_image(target, demand);
}

static int make_demand(struct demand *demand, const char *library)
{
	struct image self;
	int err = image_read(library, &demand->library_image);

	if (!err)
		err = image_read("/proc/self/exe", &self);
	if (!err)
		strcpy(demand->loader, self.loader);
	return err;
}

int target_examine(struct target *target, const char *command, const char *library)
{
	struct demand demand;
	int err;

	memset(target, 0, sizeof(*target));
	snprintf(target->path, sizeof(target->path), "%s", command);
	strcpy(target->runs, target->path);
	err = make_demand(&demand, library);
	if (err) {
		snprintf(target->why, sizeof(target->why), "'%s' cannot be preloaded: %s", library,
			 err == -ENOEXEC ? "it is not an ELF file" : strerror(-err));
		return SAY_OWN_ERROR;
	}
	err = path_find(command, target->path, sizeof(target->path));
	if (err) {
		snprintf(target->why, sizeof(target->why), "'%s' cannot be executed: %s", command,
			 err == -ENOENT ? "no such program" : strerror(-err));
		return err == -ENOENT ? SAY_NOT_FOUND : SAY_CANNOT_RUN;
	}
	strcpy(target->runs, target->path);
	return follow(target, &demand, 0);
}
