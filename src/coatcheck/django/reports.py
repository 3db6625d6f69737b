"""What Django's error pages and mails show of the settings."""

from __future__ import annotations

import re

from django.views.debug import SafeExceptionReporterFilter


class ReportFilter(SafeExceptionReporterFilter):
    """Hides the settings that name stores too, for a URL may have a password in it.

    DEFAULT_EXCEPTION_REPORTER_FILTER = "coatcheck.django.ReportFilter"
    """

    hidden_settings: re.Pattern[str] = re.compile(
        SafeExceptionReporterFilter.hidden_settings.pattern + "|^SESSION_(EARLIER_)?STORE$|^SESSION_REVOCATIONS$",
        re.IGNORECASE,
    )
