/* The pool of threads; `runtime.pyx` alone includes it, and `team.h` says what it does.
 *
 * The pieces of a job are dealt out evenly, in order, so that a worker meets the same part of the
 * memory in every job; whoever has done its own takes from the others. The caller works too, and
 * waits for pieces that are begun, never for a thread: one that other programs keep from its core
 * costs its share of the speed and nothing else. With OpenMP, whose loops end when every thread has
 * arrived, 40 us of work on two cores took 100 to 270 us beside one busy program; so, 43 to 67.
 */
#ifndef FASTNN_TEAM_POOL_H
#define FASTNN_TEAM_POOL_H

#include "denormals.h"
#include "team.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>

static void run_alone(team_piece *run, const void *work, ptrdiff_t pieces) {
    const uint64_t saved = denormals_flush();
    for (ptrdiff_t piece = 0; piece < pieces; piece++) run(work, piece, 0);
    denormals_restore(saved);
}

#define MOST_WORKERS 256
#define MOST_PIECES 0xffffffff
#define SPINS 5000    /* 0.25 ms, longer than Python takes from kernel to kernel */
#define GUIDE 17      /* of many pieces left this share is taken at once: small ones are cheap */
#define PATIENCE 1000 /* turns of waiting for the last pieces before others get the core */

#if defined(__x86_64__)
#define PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define PAUSE() __asm__ volatile("yield")
#else
#define PAUSE() (void)0
#endif
#define READ(place) atomic_load_explicit(&(place), memory_order_relaxed)
#define WRITE(place, value) atomic_store_explicit(&(place), value, memory_order_relaxed)

/* One worker's part of a job: the job's number in the high half, pieces left in the low one. */
struct share {
    _Alignas(64) _Atomic uint64_t left;
    _Atomic ptrdiff_t end; /* the number after its last piece */
};

/* What the caller writes between jobs only, and a worker may read too late: it takes a piece only
 * of a share that still has the job's number, and the job it reads of is then the one that runs. */
static struct {
    team_piece *_Atomic run;
    const void *_Atomic work;
    _Atomic int sharers;
    struct share shares[MOST_WORKERS];
    _Alignas(64) _Atomic ptrdiff_t unfinished; /* pieces */
    _Alignas(64) _Atomic uint32_t job;         /* its number, which the workers watch */
    _Atomic int sleeping;
} team;
static int team_workers = 1; /* with the caller */
static pthread_mutex_t team_busy = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t team_asleep = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t team_called = PTHREAD_COND_INITIALIZER;

static void run_share(struct share *share, uint32_t job, int worker) {
    uint64_t left = atomic_load_explicit(&share->left, memory_order_acquire);
    while ((uint32_t)(left >> 32) == job && (uint32_t)left) {
        team_piece *run = READ(team.run);
        const void *work = READ(team.work);
        const ptrdiff_t pieces = (uint32_t)left, first = READ(share->end) - pieces;
        const ptrdiff_t taken = pieces / GUIDE + 1;
        if (!atomic_compare_exchange_weak_explicit(&share->left, &left, left - (uint64_t)taken,
                                                   memory_order_acquire, memory_order_acquire))
            continue;
        for (ptrdiff_t piece = first; piece < first + taken; piece++) run(work, piece, worker);
        atomic_fetch_sub_explicit(&team.unfinished, taken, memory_order_release);
        left = atomic_load_explicit(&share->left, memory_order_acquire);
    }
}

static void run_shares(uint32_t job, int worker, int sharers) {
    for (int i = 0; i < sharers; i++) run_share(&team.shares[(worker + i) % sharers], job, worker);
}

static uint32_t next_job(uint32_t seen) {
    uint32_t job;
    for (int turn = 0; turn < SPINS; turn++) {
        job = atomic_load_explicit(&team.job, memory_order_acquire);
        if (job != seen) return job;
        PAUSE();
    }
    pthread_mutex_lock(&team_asleep);
    atomic_fetch_add(&team.sleeping, 1);
    while ((job = atomic_load(&team.job)) == seen) pthread_cond_wait(&team_called, &team_asleep);
    atomic_fetch_sub(&team.sleeping, 1);
    pthread_mutex_unlock(&team_asleep);
    return job;
}

static void *work_for_ever(void *number) {
    const int worker = (int)(intptr_t)number;
    denormals_flush();
    for (uint32_t job = 0;;) {
        job = next_job(job);
        const int sharers = READ(team.sharers);
        if (worker < sharers) run_shares(job, worker, sharers);
    }
    return NULL;
}

/* A thread begins with the signal mask of the one that makes it. With all signals blocked, none
 * goes to a thread of the pool: a handler would run on it, and a thread that waits for one
 * would wait in vain. */
static void grow_team(int threads) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (team_workers < threads && team_workers < MOST_WORKERS) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, work_for_ever, (void *)(intptr_t)team_workers)) break;
        pthread_detach(thread);
        team_workers++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* As many of the threads asked for as the system gives. */
static int grown_team(int threads) {
    if (team_workers < threads) grow_team(threads);
    return threads < team_workers ? threads : team_workers;
}

static uint32_t begin_job(team_piece *run, const void *work, ptrdiff_t pieces, int sharers) {
    const uint32_t job = READ(team.job) + 1;
    WRITE(team.run, run);
    WRITE(team.work, work);
    WRITE(team.sharers, sharers);
    WRITE(team.unfinished, pieces);
    for (int i = 0; i < sharers; i++) {
        const ptrdiff_t first = pieces * i / sharers, end = pieces * (i + 1) / sharers;
        WRITE(team.shares[i].end, end);
        atomic_store_explicit(&team.shares[i].left, (uint64_t)job << 32 | (uint64_t)(end - first),
                              memory_order_release);
    }
    atomic_store(&team.job, job);
    if (atomic_load(&team.sleeping)) {
        pthread_mutex_lock(&team_asleep);
        pthread_cond_broadcast(&team_called);
        pthread_mutex_unlock(&team_asleep);
    }
    return job;
}

/* A job in a job, and one of another thread meanwhile, runs on its caller. */
static void run_team(team_piece *run, const void *work, ptrdiff_t pieces, int threads) {
    if (threads > pieces) threads = (int)pieces;
    if (threads < 2 || pieces > MOST_PIECES || pthread_mutex_trylock(&team_busy)) {
        run_alone(run, work, pieces);
        return;
    }
    threads = grown_team(threads);
    const uint64_t saved = denormals_flush();
    run_shares(begin_job(run, work, pieces, threads), 0, threads);
    for (int turn = 0; atomic_load_explicit(&team.unfinished, memory_order_acquire); turn++)
        if (turn < PATIENCE)
            PAUSE();
        else
            sched_yield();
    denormals_restore(saved);
    pthread_mutex_unlock(&team_busy);
}

#endif
