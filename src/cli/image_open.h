/* SPDX-License-Identifier: MIT */
/* image_open.h - an open ELF file; for image*.c only. */
#ifndef INTERPOLL_CLI_IMAGE_OPEN_H
#define INTERPOLL_CLI_IMAGE_OPEN_H

#include <gelf.h>

struct image_file {
	int fd;
	Elf *elf;
	GElf_Ehdr header;
};

/* Open @path and read its header.  Returns 0, -ENOEXEC if it is no ELF file, or -errno. */
int image_open(const char *path, struct image_file *ret);
void image_close(struct image_file *file);

#endif
