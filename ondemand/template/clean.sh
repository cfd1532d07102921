# Sourced by batch connect's clean_up(), which then exits with its first argument: 1 whatever happened, or 0. A sourced
# script shares the arguments of the function, so the job can end as the run did.
# shellcheck shell=bash disable=SC2154 # (ces.sh sets ces_status)
. ./ces.sh
ces_finish
set -- "$ces_status"
