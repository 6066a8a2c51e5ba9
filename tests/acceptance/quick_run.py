"""The program with a sweep every second, where cron has minutes: for the tests of `run`."""

import sys

from apscheduler.triggers.interval import IntervalTrigger

from retention_worker import cli, scheduler

SWEEPS = "*/15 * * * *"

scheduler.trigger = lambda crontab: IntervalTrigger(seconds=1 if crontab == SWEEPS else 3600)
sys.exit(cli.main())
