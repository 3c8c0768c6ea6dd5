// SPDX-License-Identifier: MIT
/*
 * image_calls.c - raw epoll system calls, inferred from machine code.
 *
 * No disassembler: the instruction that enters the kernel is looked for byte by
 * byte, and from each the nearest instruction before it that loads a constant into
 * the register of call numbers.  Compilers and hand-written stubs keep the two close.
 */
#include "cli/image.h"

#include <errno.h>
#include <gelf.h>
#include <string.h>

#include "cli/image_open.h"
#include "cli/words.h"

/* How far before the entry the number may be loaded. */
#define REACH_BYTES 48

/* One machine's numbers and code; -1 where the machine has no such call. */
struct call_name {
	int x86_64;
	int aarch64;
	const char *name;
};

static const struct call_name call_names[] = {
	{213, -1, "epoll_create"}, {291, 20, "epoll_create1"}, {233, 21, "epoll_ctl"},
	{232, -1, "epoll_wait"},   {281, 22, "epoll_pwait"},   {441, 441, "epoll_pwait2"},
};

static const char *name_of(GElf_Half machine, int64_t number)
{
	size_t i;

	for (i = 0; number >= 0 && i < sizeof(call_names) / sizeof(call_names[0]); i++)
		if (number == (machine == EM_X86_64 ? call_names[i].x86_64 : call_names[i].aarch64))
			return call_names[i].name;
	return NULL;
}

static uint32_t read_u32(const unsigned char *at)
{
	return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* The constant last loaded into eax or rax before @at, at the earliest at @from; or -1. */
static int64_t find_x86_64_number(const unsigned char *from, const unsigned char *at)
{
	const unsigned char *p;

	for (p = at - 5; p >= from; p--) {
		/* 41 or 49 before it would make it r8 */
		if (p[0] == 0xb8 && (p == from || (p[-1] & 0xf1) != 0x41)) /* mov $imm32, %eax */
			return read_u32(p + 1);
		if (at - p >= 7 && p[0] == 0x48 && p[1] == 0xc7 && p[2] == 0xc0)
			return read_u32(p + 3); /* mov $imm32, %rax */
	}
	return -1;
}

static void scan_x86_64(const unsigned char *code, size_t size, struct words *words)
{
	const unsigned char *at = code, *end = code + size;
	const char *name;

	/* syscall is 0f 05 */
	while ((at = memmem(at, (size_t)(end - at), "\x0f\x05", 2))) {
		const unsigned char *from = at - code > REACH_BYTES ? at - REACH_BYTES : code;

		name = name_of(EM_X86_64, find_x86_64_number(from, at));
		if (name)
			words_add(words, name);
		at += 2;
	}
}

/* The constant last moved into w8 or x8 before instruction @at; or -1. */
static int64_t find_aarch64_number(const unsigned char *code, size_t at)
{
	size_t i;
	uint32_t word;

	for (i = at; i >= 4 && at - i < REACH_BYTES; i -= 4) {
		word = read_u32(code + i - 4);
		if ((word & 0x7fe0001f) == 0x52800008) /* movz w8|x8, #imm16 */
			return (word >> 5) & 0xffff;
	}
	return -1;
}

static void scan_aarch64(const unsigned char *code, size_t size, struct words *words)
{
	const char *name;
	size_t i;

	for (i = 0; i + 4 <= size; i += 4) {
		if (read_u32(code + i) != 0xd4000001) /* svc #0 */
			continue;
		name = name_of(EM_AARCH64, find_aarch64_number(code, i));
		if (name)
			words_add(words, name);
	}
}

int image_list_raw_epoll_calls(const char *path, char *list, size_t size)
{
	struct words words = words_begin(list, size);
	struct image_file file;
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	Elf_Data *data;
	int err = image_open(path, &file);

	if (err)
		return err;
	if (file.header.e_machine != EM_X86_64 && file.header.e_machine != EM_AARCH64)
		err = -ENOTSUP;
	while (!err && (section = elf_nextscn(file.elf, section))) {
		if (!gelf_getshdr(section, &header) || !(header.sh_flags & SHF_EXECINSTR) ||
		    header.sh_type != SHT_PROGBITS)
			continue;
		data = elf_rawdata(section, NULL);
		if (!data || !data->d_buf)
			continue;
		if (file.header.e_machine == EM_X86_64)
			scan_x86_64(data->d_buf, data->d_size, &words);
		else
			scan_aarch64(data->d_buf, data->d_size, &words);
	}
	image_close(&file);
	return err;
}
