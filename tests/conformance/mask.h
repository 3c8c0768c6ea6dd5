/* SPDX-License-Identifier: MIT */
/*
 * mask.h - event masks as people write them.
 */
#ifndef CONFORMANCE_MASK_H
#define CONFORMANCE_MASK_H

#include <stddef.h>
#include <stdint.h>

/*
 * Write @mask as "IN|RDHUP|ET" into @text of @size bytes, cut if it does not
 * fit; bits without a name are written as one hexadecimal number.
 */
void mask_format(char *text, size_t size, uint32_t mask);

#endif
