/* SPDX-License-Identifier: MIT */
/*
 * image.h - what an ELF file says about itself.
 */
#ifndef INTERPOLL_CLI_IMAGE_H
#define INTERPOLL_CLI_IMAGE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Facts of one ELF file.  A plain value. */
struct image {
	unsigned char class;   /* ELFCLASS32 or ELFCLASS64 */
	unsigned char data;    /* ELFDATA2LSB or ELFDATA2MSB */
	uint16_t machine;      /* EM_* */
	uint16_t type;	       /* ET_* */
	bool is_go;	       /* made by a compiler whose programs make system calls themselves */
	char loader[PATH_MAX]; /* PT_INTERP, "" if there is none: static */
};

/*
 * Read the facts of the file at @path into *@ret.  Returns 0, -ENOEXEC if it is
 * not an ELF file or a damaged one, or the -errno of reading it.
 */
int image_read(const char *path, struct image *ret);

/* "64-bit x86-64": written to @buf, which is returned. */
const char *image_describe(const struct image *image, char *buf, size_t size);

/*
 * The epoll calls the file at @path takes from other files (undefined symbols
 * whose name starts with epoll_), as a comma-separated list in @list, "" if none.  *@ret_is_libc
 * tells whether it defines epoll_wait itself: then it is the C library.
 * Returns as image_read().
 */
int image_list_epoll_imports(const char *path, char *list, size_t size, bool *ret_is_libc);

/*
 * The raw epoll system calls in the executable sections of @path: places where
 * the instruction that enters the kernel follows closely on one that loads an epoll
 * call's number.  An inference: the number may be loaded elsewhere, and bytes
 * may look like code.  A comma-separated list of names in @list, "" if none.
 * Returns as image_read(), or -ENOTSUP for machines whose code is not known here.
 */
int image_list_raw_epoll_calls(const char *path, char *list, size_t size);

#endif
