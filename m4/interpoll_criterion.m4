# SPDX-License-Identifier: MIT
# INTERPOLL_CRITERION
# -------------------
# --with-criterion=auto|yes|no. Sets CRITERION_LIBS and the conditional
# UNIT_TESTS. auto builds without Criterion, but `make check' then says that
# the unit tests were left out, and how to get them.
AC_DEFUN([INTERPOLL_CRITERION], [
AC_ARG_WITH([criterion],
	[AS_HELP_STRING([--with-criterion], [build the unit tests @<:@auto@:>@])],
	[], [with_criterion=auto])
CRITERION_LIBS=
have_criterion=no
AS_IF([test "x$with_criterion" != xno],
	[AC_CHECK_HEADER([criterion/criterion.h],
		[AC_CHECK_LIB([criterion], [criterion_initialize],
			[have_criterion=yes
			CRITERION_LIBS=-lcriterion])])
	AS_IF([test "x$with_criterion:$have_criterion" = xyes:no],
		[AC_MSG_ERROR([Criterion is missing; apt install libcriterion-dev])])])
AC_SUBST([CRITERION_LIBS])
AM_CONDITIONAL([UNIT_TESTS], [test "x$have_criterion" = xyes])
])
