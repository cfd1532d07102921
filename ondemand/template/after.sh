# Sourced when script.sh has been started; what comes next shows the portal that the session is running.
# shellcheck shell=bash
. ./ces.sh
ces_wait_for_service
