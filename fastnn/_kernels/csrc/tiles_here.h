/* Whether the kernels for the tiles of AMX are built: GCC has their instructions since 11. */
#ifndef FASTNN_TILES_HERE_H
#define FASTNN_TILES_HERE_H

#if FASTNN_X86 && defined(__linux__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 11
#define FASTNN_TILES 1
#else
#define FASTNN_TILES 0
#endif

#endif
