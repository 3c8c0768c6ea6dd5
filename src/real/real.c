// SPDX-License-Identifier: MIT
#include "real/real.h"

#include <dlfcn.h>
#include <stddef.h>

struct real real_calls;
bool real_is_ready;

void real_init(void)
{
	static const struct {
		const char *name;
		size_t offset;
	} calls[] = {
#define CALL(name, family, why) {#name, offsetof(struct real, name)},
#define NUMBER(name, family)
#include "real/calls.def"
#undef CALL
#undef NUMBER
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		void *symbol = dlsym(RTLD_NEXT, calls[i].name);

		__atomic_store_n((void **)((char *)&real_calls + calls[i].offset), symbol,
				 __ATOMIC_RELAXED);
	}
	__atomic_store_n(&real_is_ready, true, __ATOMIC_RELEASE);
}
