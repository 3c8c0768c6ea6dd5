// SPDX-License-Identifier: MIT
/*
 * jump.c - a thread leaves functions without returning from them.
 *
 * Of interest only where a handler jumps that interrupted our own code, or a wait.
 */
#undef _FORTIFY_SOURCE /* it would call all of these __longjmp_chk */
#include "preload/preload.h"

#include "engine/jump.h"
#include "real/jmpbuf.h"

static void jump_before(const struct __jmp_buf_tag *env)
{
	if (jump_is_of_interest() && preload_is_active())
		jump_leave(jmpbuf_sp(env));
}

void longjmp(struct __jmp_buf_tag env[1], int value)
{
	jump_before(env);
	real()->longjmp(env, value);
	__builtin_unreachable();
}

void _longjmp(struct __jmp_buf_tag env[1], int value)
{
	jump_before(env);
	real()->_longjmp(env, value);
	__builtin_unreachable();
}

void siglongjmp(struct __jmp_buf_tag env[1], int value)
{
	jump_before(env);
	real()->siglongjmp(env, value);
	__builtin_unreachable();
}

void __longjmp_chk(struct __jmp_buf_tag env[1], int value)
{
	jump_before(env);
	real()->__longjmp_chk(env, value);
	__builtin_unreachable();
}
