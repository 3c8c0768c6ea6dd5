// SPDX-License-Identifier: MIT
/*
 * image.c - ELF files, by way of libelf.
 */
#include "cli/image.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/image_open.h"
#include "cli/words.h"

int image_open(const char *path, struct image_file *ret)
{
	struct image_file file = {.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)};
	int err = -ENOEXEC;

	if (file.fd < 0)
		return -errno;
	if (elf_version(EV_CURRENT) == EV_NONE)
		goto out;
	file.elf = elf_begin(file.fd, ELF_C_READ_MMAP, NULL);
	if (file.elf && elf_kind(file.elf) == ELF_K_ELF && gelf_getehdr(file.elf, &file.header)) {
		*ret = file;
		return 0;
	}
out:
	image_close(&file);
	return err;
}

void image_close(struct image_file *file)
{
	elf_end(file->elf);
	close(file->fd);
}

/* The PT_INTERP of @file, "" if it has none. */
static int read_loader(const struct image_file *file, char *loader, size_t size)
{
	GElf_Phdr segment;
	size_t nr, i, len;
	char *image;

	loader[0] = '\0';
	if (elf_getphdrnum(file->elf, &nr))
		return -ENOEXEC;
	for (i = 0; i < nr; i++) {
		if (!gelf_getphdr(file->elf, (int)i, &segment))
			return -ENOEXEC;
		if (segment.p_type == PT_INTERP)
			break;
	}
	if (i == nr)
		return 0;
	image = elf_rawfile(file->elf, &len);
	if (!image || segment.p_offset > len || segment.p_filesz > len - segment.p_offset ||
	    segment.p_filesz >= size)
		return -ENOEXEC;
	memcpy(loader, image + segment.p_offset, segment.p_filesz);
	loader[segment.p_filesz] = '\0';
	return 0;
}

static bool has_section(const struct image_file *file, const char *wanted)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	const char *name;
	size_t names;

	if (elf_getshdrstrndx(file->elf, &names))
		return false;
	while ((section = elf_nextscn(file->elf, section))) {
		if (!gelf_getshdr(section, &header))
			continue;
		name = elf_strptr(file->elf, names, header.sh_name);
		if (name && !strcmp(name, wanted))
			return true;
	}
	return false;
}

int image_read(const char *path, struct image *ret)
{
	struct image_file file;
	int err = image_open(path, &file);

	if (err)
		return err;
	ret->class = file.header.e_ident[EI_CLASS];
	ret->data = file.header.e_ident[EI_DATA];
	ret->machine = file.header.e_machine;
	ret->type = file.header.e_type;
	ret->is_go = has_section(&file, ".go.buildinfo");
	err = read_loader(&file, ret->loader, sizeof(ret->loader));
	image_close(&file);
	return err;
}

const char *image_describe(const struct image *image, char *buf, size_t size)
{
	static const struct {
		uint16_t machine;
		const char *name;
	} machines[] = {
		{EM_386, "x86"},	 {EM_X86_64, "x86-64"}, {EM_ARM, "ARM"},
		{EM_AARCH64, "AArch64"}, {EM_RISCV, "RISC-V"},	{EM_PPC64, "POWER"},
		{EM_S390, "S/390"},	 {EM_MIPS, "MIPS"},
	};
	const char *bits = image->class == ELFCLASS64 ? "64-bit" : "32-bit";
	size_t i;

	for (i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
		if (machines[i].machine == image->machine) {
			snprintf(buf, size, "%s %s", bits, machines[i].name);
			return buf;
		}
	snprintf(buf, size, "%s, ELF machine %u", bits, image->machine);
	return buf;
}

/* One symbol of the dynamic table: a call taken, or the C library's own? */
static void note_symbol(const char *name, bool is_defined, struct words *words, bool *ret_is_libc)
{
	if (!name || strncmp(name, "epoll_", strlen("epoll_")))
		return;
	if (!is_defined)
		words_add(words, name);
	else if (!strcmp(name, "epoll_wait"))
		*ret_is_libc = true;
}

int image_list_epoll_imports(const char *path, char *list, size_t size, bool *ret_is_libc)
{
	struct words words = words_begin(list, size);
	struct image_file file;
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	GElf_Sym symbol;
	Elf_Data *data;
	int err, i;

	*ret_is_libc = false;
	err = image_open(path, &file);
	if (err)
		return err;
	while ((section = elf_nextscn(file.elf, section))) {
		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_DYNSYM)
			continue;
		data = elf_getdata(section, NULL);
		for (i = 0; data && gelf_getsym(data, i, &symbol); i++)
			note_symbol(elf_strptr(file.elf, header.sh_link, symbol.st_name),
				    symbol.st_shndx != SHN_UNDEF, &words, ret_is_libc);
	}
	image_close(&file);
	return 0;
}
