"""The Diameter dictionary: application identifiers, command codes, AVP codes and result codes that Faultprint uses.

Sources: RFC 6733 (base), RFC 8506 (Subscription-Id), RFC 4740 (digest), TS 29.229 (Cx), TS 29.214 (Rx).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

VENDOR_3GPP: Final = 10415


class ApplicationId(IntEnum):
    """Application identifiers."""

    COMMON = 0
    """Diameter common messages, the base protocol."""
    CX = 16777216
    RX = 16777236


class CommandCode(IntEnum):
    """Command codes. A request and its answer have the same code."""

    CAPABILITIES_EXCHANGE = 257
    RE_AUTH = 258
    AA = 265
    ABORT_SESSION = 274
    SESSION_TERMINATION = 275
    DEVICE_WATCHDOG = 280
    DISCONNECT_PEER = 282
    USER_AUTHORIZATION = 300
    SERVER_ASSIGNMENT = 301
    LOCATION_INFO = 302
    MULTIMEDIA_AUTH = 303
    REGISTRATION_TERMINATION = 304
    PUSH_PROFILE = 305


class AvpCode(IntEnum):
    """AVP codes. Those from 600 on belong to the vendor 3GPP, the others to the IETF."""

    USER_NAME = 1
    DIGEST_REALM = 104
    DIGEST_QOP = 110
    DIGEST_ALGORITHM = 111
    DIGEST_HA1 = 121
    HOST_IP_ADDRESS = 257
    AUTH_APPLICATION_ID = 258
    VENDOR_SPECIFIC_APPLICATION_ID = 260
    SESSION_ID = 263
    ORIGIN_HOST = 264
    SUPPORTED_VENDOR_ID = 265
    VENDOR_ID = 266
    RESULT_CODE = 268
    PRODUCT_NAME = 269
    AUTH_SESSION_STATE = 277
    ORIGIN_STATE_ID = 278
    ORIGIN_REALM = 296
    EXPERIMENTAL_RESULT = 297
    EXPERIMENTAL_RESULT_CODE = 298
    SUBSCRIPTION_ID = 443
    SUBSCRIPTION_ID_DATA = 444
    SUBSCRIPTION_ID_TYPE = 450
    PUBLIC_IDENTITY = 601
    SERVER_NAME = 602
    USER_DATA = 606
    SIP_NUMBER_AUTH_ITEMS = 607
    SIP_AUTHENTICATION_SCHEME = 608
    SIP_AUTHENTICATE = 609
    SIP_AUTH_DATA_ITEM = 612
    SIP_ITEM_NUMBER = 613
    SERVER_ASSIGNMENT_TYPE = 614
    SIP_DIGEST_AUTHENTICATE = 635


class SubscriptionIdType(IntEnum):
    """Values of Subscription-Id-Type (RFC 8506, 8.47)."""

    E164 = 0
    IMSI = 1
    SIP_URI = 2
    NAI = 3


class ResultCode(IntEnum):
    """Result codes (RFC 6733) and 3GPP's experimental result codes (TS 29.229)."""

    SUCCESS = 2001
    FIRST_REGISTRATION = 2001
    SUBSEQUENT_REGISTRATION = 2002
    COMMAND_UNSUPPORTED = 3001
    TOO_BUSY = 3004
    USER_UNKNOWN = 5001
    IDENTITY_NOT_REGISTERED = 5003
    UNABLE_TO_COMPLY = 5012
