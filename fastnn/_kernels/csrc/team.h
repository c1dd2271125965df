/* How kernels reach the pool of threads, which lives in the module `runtime`.
 *
 * `team_run(run, work, pieces, threads)` calls `run(work, piece, worker)` for every piece from 0 to
 * `pieces` - 1, on the calling thread and up to `threads` - 1 others, and returns when all are
 * done. `worker` is below `threads`, and no two pieces run under one number at a time. Denormals
 * are flushed in every piece. Each module has a pointer of its own, which it fills when it is
 * imported.
 */
#ifndef FASTNN_TEAM_H
#define FASTNN_TEAM_H

#include <stddef.h>

typedef void team_piece(const void *work, ptrdiff_t piece, int worker);
typedef void team_runner(team_piece *run, const void *work, ptrdiff_t pieces, int threads);

extern __attribute__((visibility("hidden"))) team_runner *team_run;

#endif
