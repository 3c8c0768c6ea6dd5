// SPDX-License-Identifier: MIT
/*
 * syscall_entry.c - the entry of syscall(), which leaves no trace.
 *
 *	number not ours		jump to the next definition
 *	ours			jump to syscall_dispatch(), whose parameters are
 *				where syscall()'s arguments are already
 *	makes a process		ask syscall_route_process() first, all
 *				argument registers saved around it
 *	... and borrows memory	shift the arguments to where the kernel wants
 *				them and go on as vfork does (vfork.c)
 */
#include "preload/syscall.h"

#define TEXT(x)	 TEXT_(x)
#define TEXT_(x) #x

/* clang-format off */
#if defined(__x86_64__)
__asm__(".text\n"
	".globl syscall\n"
	".type syscall, @function\n"
	"syscall:\n"
	".cfi_startproc\n"
	"	cmpq	$" TEXT(SYSCALL_ROUTES) ", %rdi\n"
	"	jae	1f\n"
	"	leaq	syscall_routes(%rip), %rax\n"
	"	movzbl	(%rax,%rdi), %eax\n"
	"	cmpb	$" TEXT(SYSCALL_DISPATCH) ", %al\n"
	"	je	2f\n"
	"	ja	3f\n"
	"1:	movq	syscall_next(%rip), %rax\n"
	"	testq	%rax, %rax\n"
	"	jz	2f\n"
	"	jmp	*%rax\n"
	"2:	jmp	syscall_dispatch\n"
	/* seven pushes keep the stack aligned for the call */
	"3:	pushq	%rdi\n"
	"	pushq	%rsi\n"
	"	pushq	%rdx\n"
	"	pushq	%rcx\n"
	"	pushq	%r8\n"
	"	pushq	%r9\n"
	"	pushq	%rax\n"
	"	.cfi_adjust_cfa_offset 56\n"
	"	call	syscall_route_process\n"
	"	popq	%r9\n"
	"	popq	%r9\n"
	"	popq	%r8\n"
	"	popq	%rcx\n"
	"	popq	%rdx\n"
	"	popq	%rsi\n"
	"	popq	%rdi\n"
	"	.cfi_adjust_cfa_offset -56\n"
	"	cmpl	$" TEXT(SYSCALL_DISPATCH) ", %eax\n"
	"	je	2b\n"
	"	jb	1b\n"
	"	movq	%rdi, %rax\n"
	"	movq	%rsi, %rdi\n"
	"	movq	%rdx, %rsi\n"
	"	movq	%rcx, %rdx\n"
	"	movq	%r8, %r10\n"
	"	movq	%r9, %r8\n"
	"	jmp	vfork_go\n"
	".cfi_endproc\n"
	".size syscall, . - syscall\n");
#elif defined(__aarch64__)
__asm__(".text\n"
	".globl syscall\n"
	".type syscall, %function\n"
	"syscall:\n"
	".cfi_startproc\n"
	"	cmp	x0, #" TEXT(SYSCALL_ROUTES) "\n"
	"	b.hs	1f\n"
	"	adrp	x16, syscall_routes\n"
	"	add	x16, x16, :lo12:syscall_routes\n"
	"	ldrb	w16, [x16, x0]\n"
	"	cmp	w16, #" TEXT(SYSCALL_DISPATCH) "\n"
	"	b.eq	2f\n"
	"	b.hi	3f\n"
	"1:	adrp	x16, syscall_next\n"
	"	ldr	x16, [x16, :lo12:syscall_next]\n"
	"	cbz	x16, 2f\n"
	"	br	x16\n"
	"2:	b	syscall_dispatch\n"
	"3:	stp	x29, x30, [sp, #-80]!\n"
	"	.cfi_adjust_cfa_offset 80\n"
	"	.cfi_rel_offset x30, 8\n"
	"	stp	x0, x1, [sp, #16]\n"
	"	stp	x2, x3, [sp, #32]\n"
	"	stp	x4, x5, [sp, #48]\n"
	"	str	x6, [sp, #64]\n"
	"	bl	syscall_route_process\n"
	"	mov	w16, w0\n"
	"	ldr	x6, [sp, #64]\n"
	"	ldp	x4, x5, [sp, #48]\n"
	"	ldp	x2, x3, [sp, #32]\n"
	"	ldp	x0, x1, [sp, #16]\n"
	"	ldp	x29, x30, [sp], #80\n"
	"	.cfi_adjust_cfa_offset -80\n"
	"	.cfi_restore x30\n"
	"	cmp	w16, #" TEXT(SYSCALL_DISPATCH) "\n"
	"	b.eq	2b\n"
	"	b.lo	1b\n"
	"	mov	x8, x0\n"
	"	mov	x0, x1\n"
	"	mov	x1, x2\n"
	"	mov	x2, x3\n"
	"	mov	x3, x4\n"
	"	mov	x4, x5\n"
	"	b	vfork_go\n"
	".cfi_endproc\n"
	".size syscall, . - syscall\n");
#else
#error "the entry of syscall() is written for x86-64 and aarch64 only"
#endif
