# Sourced after script.sh has been started. Then the portal shows that the session is running.
# shellcheck shell=bash
. ./ces.sh
ces_wait_for_service
