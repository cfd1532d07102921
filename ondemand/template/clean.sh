# Sourced by batch connect's clean_up(), which then exits with its first argument: 1 whatever happened, or 0. What is
# sourced shares the arguments of the function, and so the job can end as the run did.
# shellcheck shell=bash disable=SC2154 # (ces.sh sets ces_status)
. ./ces.sh
ces_finish
set -- "$ces_status"
