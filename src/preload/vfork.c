// SPDX-License-Identifier: MIT
/*
 * vfork.c - a child that borrows our memory.
 *
 * The call returns twice into the caller's frame: first in the child, which
 * then overwrites the stack below that frame, and again in the parent.  The
 * return address must therefore survive in a register, which each of the two
 * processes has of its own, and no C frame of ours may be open meanwhile.
 *
 * vfork_go: the system call is set up (number and arguments in place), and the
 * stack and the link are those of our caller.  vfork_enter() is behind us.
 * What the kernel returned goes through vfork_leave(), in both processes.
 */
#include <errno.h>
#include <sys/syscall.h>

#include "preload/preload.h"

#define TEXT(x)	 TEXT_(x)
#define TEXT_(x) #x

/* Called by the assembly. */
__attribute__((visibility("hidden"), used)) void vfork_enter(void);
__attribute__((visibility("hidden"), used)) long vfork_leave(long ret);

/* A child of a passed-through process is counted too: its calls then cost nothing. */
void vfork_enter(void)
{
	preload_is_active();
	process_vfork_enter();
}

long vfork_leave(long ret)
{
	process_vfork_leave(ret);
	return preload_return(ret);
}

/* clang-format off */
#if defined(__x86_64__)
__asm__(".text\n"
	".globl vfork, __vfork\n"
	".type vfork, @function\n"
	".type __vfork, @function\n"
	"vfork:\n"
	"__vfork:\n"
	".cfi_startproc\n"
	"	subq	$8, %rsp\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	call	vfork_enter\n"
	"	addq	$8, %rsp\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	movl	$" TEXT(__NR_vfork) ", %eax\n"
	/* the kernel leaves all registers alone but rax, rcx and r11 */
	".hidden vfork_go\n"
	".globl vfork_go\n"
	".type vfork_go, @function\n"
	"vfork_go:\n"
	"	popq	%r9\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	.cfi_register %rip, %r9\n"
	"	syscall\n"
	"	pushq	%r9\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	.cfi_rel_offset %rip, 0\n"
	"	movq	%rax, %rdi\n"
	"	subq	$8, %rsp\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	call	vfork_leave\n"
	"	addq	$8, %rsp\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	ret\n"
	".cfi_endproc\n"
	".size vfork, . - vfork\n");
#elif defined(__aarch64__)
/* CLONE_VM | CLONE_VFORK | SIGCHLD */
__asm__(".text\n"
	".globl vfork, __vfork\n"
	".type vfork, %function\n"
	".type __vfork, %function\n"
	"vfork:\n"
	"__vfork:\n"
	".cfi_startproc\n"
	"	stp	x29, x30, [sp, #-16]!\n"
	"	.cfi_adjust_cfa_offset 16\n"
	"	.cfi_rel_offset x30, 8\n"
	"	bl	vfork_enter\n"
	"	ldp	x29, x30, [sp], #16\n"
	"	.cfi_adjust_cfa_offset -16\n"
	"	.cfi_restore x30\n"
	"	mov	x0, #0x4111\n"
	"	mov	x1, #0\n"
	"	mov	x2, #0\n"
	"	mov	x3, #0\n"
	"	mov	x4, #0\n"
	"	mov	x8, #" TEXT(__NR_clone) "\n"
	".hidden vfork_go\n"
	".globl vfork_go\n"
	".type vfork_go, %function\n"
	"vfork_go:\n"
	/* x30 holds the return address across the call, in each process */
	"	svc	#0\n"
	"	stp	x29, x30, [sp, #-16]!\n"
	"	.cfi_adjust_cfa_offset 16\n"
	"	.cfi_rel_offset x30, 8\n"
	"	bl	vfork_leave\n"
	"	ldp	x29, x30, [sp], #16\n"
	"	.cfi_adjust_cfa_offset -16\n"
	"	.cfi_restore x30\n"
	"	ret\n"
	".cfi_endproc\n"
	".size vfork, . - vfork\n");
#else
#error "vfork() is written for x86-64 and aarch64 only"
#endif
