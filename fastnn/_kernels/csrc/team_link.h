/* The pointer that `team.h` declares; the one Cython source of each module includes it. */
#include "team.h"
team_runner *team_run;
