# SPDX-License-Identifier: MIT
# INTERPOLL_LIBELF
# ----------------
# The command reads programs before it runs them, with libelf. Required; sets
# LIBELF_LIBS. The library does not use it.
AC_DEFUN([INTERPOLL_LIBELF], [
LIBELF_LIBS=
have_libelf=no
AC_CHECK_HEADER([gelf.h],
	[AC_CHECK_LIB([elf], [elf_begin],
		[have_libelf=yes
		LIBELF_LIBS=-lelf])])
AS_IF([test "x$have_libelf" = xno],
	[AC_MSG_ERROR([libelf is missing, the command needs it; apt install libelf-dev])])
AC_SUBST([LIBELF_LIBS])
])
