/* SPDX-License-Identifier: MIT */
/*
 * run.h - run a command under interpoll.
 */
#ifndef INTERPOLL_CLI_RUN_H
#define INTERPOLL_CLI_RUN_H

#include "cli/options.h"

/*
 * Run options->command with libinterpoll.so preloaded, wait for it, report.
 *
 * Returns the exit status of the command, or a say_status after a sentence on stderr.
 * If the command dies by a signal this process dies by the same one, so that a shell
 * sees what it would see without us.
 */
int run(const struct options *options);

#endif
