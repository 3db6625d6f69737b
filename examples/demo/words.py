"""What the demo says, in the language of the browser."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Response, after_this_request, g, request
from markupsafe import Markup

# A browser that asks for zh-TW or plain zh finds its language too.
_LANGUAGES = {"en": "en", "zh-CN": "zh-CN", "zh": "zh-CN"}

TEXTS: dict[str, tuple[str, str]] = {
    # The three views
    "nobody": ("Nobody is logged in.", "没有人登录。"),
    "deleted": ("The name is deleted.", "用户名已删除。"),
    "nothing_deleted": ("There was no name to delete.", "没有可以删除的用户名。"),
    # The page: its head
    "title": ("What is in the cookie?", "Cookie 里有什么？"),
    "intro": (
        "One session from both ends: as your browser holds it, and as the server sees it. Looking changes nothing.",
        "同一个会话的两面：浏览器保存的样子，和服务器看到的样子。打开这个页面不会改变任何内容。",
    ),
    # What one can do
    "try": ("Try it", "试一试"),
    "visit": ("Visit {path}", "访问 {path}"),
    "about_index": ("keeps a name in the session", "把用户名存入会话"),
    "about_username": ("reads the name; Back returns here", "读取用户名；按“后退”返回这里"),
    "about_delete_user": ("deletes the name", "删除用户名"),
    "tamper": ("Change one character", "改动一个字符"),
    "about_tamper": ("of the cookie, as an attacker would", "像攻击者那样改动 Cookie"),
    "after_index": (
        "<code>/</code> was visited. It kept the name in the session, and your browser was sent a new cookie.",
        "已访问 <code>/</code>：用户名存入了会话，浏览器收到了新的 Cookie。",
    ),
    "after_delete_user": (
        "<code>/delete_user/</code> was visited. The name is gone; <code>_permanent</code> may stay, Flask’s own note.",
        "已访问 <code>/delete_user/</code>：用户名已不在会话里。<code>_permanent</code> 可能还在，那是 Flask 的标记。",
    ),
    "after_tamper": (
        "One character in the middle of your cookie was changed. Press the button once more to change it back.",
        "Cookie 中间的一个字符被改动了。再按一次按钮就会改回来。",
    ),
    # The left side
    "browser": ("What the browser holds", "浏览器保存的"),
    "our_cookie": ("The cookie of this site", "本站的 Cookie"),
    "our_cookie_note": ("Sealed by coatcheck.", "由 coatcheck 加密封装。"),
    "no_cookie": ("Your browser holds no cookie of this site.", "浏览器没有本站的 Cookie。"),
    "name": ("Name", "名称"),
    "value": ("Value", "值"),
    "length": ("Length", "长度"),
    "characters": ("{count} characters", "{count} 个字符"),
    "attributes": ("Attributes", "属性"),
    "readable": ("What anyone can read out of it", "任何人能从中读出什么"),
    "nothing_readable": (
        "Nothing of the session. The token has five parts; the fourth is the session, and needs the server’s key.",
        "读不出会话的任何内容。令牌分为五个部分，会话在第四部分里，只有服务器的密钥能打开。",
    ),
    "no_token": (
        "This is no token of coatcheck’s format. Perhaps another program on this host has set it.",
        "这不是 coatcheck 格式的令牌，也许是这台主机上的另一个程序设置的。",
    ),
    "part": ("Part", "部分"),
    "bytes": ("Bytes", "字节数"),
    "hex": ("In hexadecimal", "十六进制"),
    "part_version": ("Version", "版本"),
    "part_key_id": ("Key id", "密钥编号"),
    "part_nonce": ("Nonce", "随机数"),
    "part_sealed": ("Sealed session", "加密的会话"),
    "part_tag": ("Tag", "校验码"),
    "flask_cookie": ("Flask’s own cookie for the same session", "同样的会话，Flask 自带的 Cookie"),
    "flask_cookie_note": (
        "For comparison: your browser does not hold it. Flask signs and does not encrypt.",
        "仅供比较，浏览器里没有它。Flask 只签名，不加密。",
    ),
    "all_readable": ("Everything. This was decoded without any key:", "全部内容。下面的内容不用任何密钥就解出来了："),
    "no_flask_cookie": (
        "For an empty session, Flask would set no cookie either.",
        "会话为空时，Flask 也不会设置 Cookie。",
    ),
    "flask_refuses": (
        "Flask’s own session cannot keep a value of one of these types.",
        "这些值里有 Flask 自带的会话存不了的类型。",
    ),
    # The right side
    "server": ("What the server sees", "服务器看到的"),
    "content": ("Content", "内容"),
    "key": ("Key", "键"),
    "facts": ("Facts about it", "相关信息"),
    "sealed_by": ("Sealed with", "封装密钥"),
    "present_key": ("the present key", "当前密钥"),
    "fallback_key": ("an earlier key, a fallback", "以前的密钥（备用）"),
    "created": ("Created", "创建时间"),
    "sealed": ("Sealed", "封装时间"),
    "ends": ("Ends", "结束时间"),
    "ago": ("{span} ago", "{span}前"),
    "ahead": ("in {span}, unless it is used before", "{span}后，期间有访问则顺延"),
    "outlives": ("Outlives the browser", "关闭浏览器后保留"),
    "yes": ("yes", "是"),
    "no": ("no", "否"),
    "size": ("Size", "大小"),
    "of_limit": ("{size} of the {limit} bytes that browsers keep", "{size} 字节，浏览器上限 {limit} 字节"),
    "handle": ("Handle", "会话标识"),
    "handle_note": ("safe to log, useless as a cookie", "可以写进日志，不能当 Cookie 用"),
    "empty": ("The session is empty", "会话是空的"),
    "rejected": ("Your browser sent a cookie, and it gives no session.", "浏览器发来了 Cookie，但它不对应有效的会话。"),
    "reason": ("Reason", "原因"),
    "rejected_note": (
        "The views see an empty session and no error. The cookie stays in your browser until a view writes a new one.",
        "视图看到的是空会话，不会出错。在视图写入新会话之前，这个 Cookie 会一直留在浏览器里。",
    ),
    "begin": (
        "<a href='/'>Visit <code>/</code></a> to keep a name in it, then come back. The first button above does both.",
        "请先<a href='/'>访问 <code>/</code></a>，它会存入一个用户名，再回到这里。上面的第一个按钮一次完成这两步。",
    ),
    "user": ("Signed in", "登录者"),
    "guest": ("nobody", "无"),
    "to_account": ("Sign in or out", "登录或退出"),
    # Its foot
    "foot": (
        "This page is for a demonstration. HttpOnly keeps the cookie from pages, and a real site never prints it.",
        "本页仅用于演示。HttpOnly 的作用是不让网页读到 Cookie，真实的网站从不把它显示出来。",
    ),
    # The pages about signing in
    "pages": ("Pages of the demo", "演示的页面"),
    "account_title": ("Who is signed in?", "谁登录了？"),
    "sign_in": ("Sign in", "登录"),
    "sign_in_note": (
        "A name is enough: this is a demonstration. A real site checks a password before <code>session.login</code>.",
        "这是演示，填个名字就能登录。真实的网站先核对密码，再调用 <code>session.login</code>。",
    ),
    "your_name": ("Name", "名字"),
    "no_name": ("Please enter a name of 1 to {longest} characters.", "请填写名字，1 到 {longest} 个字符。"),
    "old_form": (
        "That form was no longer good, and nothing was done. Please go on from here.",
        "刚才的表单已经失效，没有执行任何操作。请从这里继续。",
    ),
    "nobody_here": ("Nobody is signed in with this browser.", "这个浏览器没有登录。"),
    "since": ("Since", "登录时间"),
    "sign_out": ("Sign out", "退出登录"),
    "about_sign_out": ("ends the session, and every copy of its cookie", "结束会话，Cookie 的副本也全部失效"),
    "sessions": ("Where you are signed in", "已登录的设备"),
    "about_sessions": (
        "take the same name in another browser, and sign it out from here",
        "在另一个浏览器用同一个名字登录，再从这里让它退出",
    ),
    "private_title": ("For the newly signed in", "刚登录才能看"),
    "about_private": ("a page that asks you to sign in again after {fresh}", "登录满 {fresh}后会要求重新登录的页面"),
    "private_open": (
        "You signed in {span} ago, and this page is open to you.",
        "您在 {span}前登录，可以看到这个页面。",
    ),
    "private_note": (
        "Load it again after {fresh}, and <code>session.require_fresh</code> has you sign in once more.",
        "满 {fresh}后再刷新，<code>session.require_fresh</code> 会要求重新登录。",
    ),
    "private_use": (
        "Sites do so before a change of the password or the address, and before a payment.",
        "网站在修改密码、修改地址和付款之前这样做。",
    ),
    "confirm_title": ("Is it still you?", "还是您本人吗？"),
    "confirm_note": (
        "You signed in {span} ago. The page that you want asks you to sign in again after {fresh}.",
        "您在 {span}前登录。您要看的页面在登录满 {fresh}后要求重新登录。",
    ),
    "confirm_password": ("A real site asks for the password here.", "真实的网站会在这里询问密码。"),
    "sign_in_again": ("Sign in again", "重新登录"),
    # Why a cookie gave no session
    "too_long": ("It is longer than a browser keeps.", "它超过了浏览器能保存的长度。"),
    "malformed": (
        "It is no token: a character is missing or too many, or it is another program’s.",
        "它不是令牌：多了或少了字符，或者来自另一个程序。",
    ),
    "unknown_kind": (
        "Its first byte names a kind of token that this version does not read.",
        "它的首字节表示本版本读不懂的令牌类型。",
    ),
    "unknown_key": (
        "It was sealed with a key that this server lacks: the demo makes a new one at each start.",
        "服务器没有封装它的密钥：演示程序每次启动都会生成新密钥。",
    ),
    "key_expired": ("It was sealed with an earlier key, whose time is over.", "封装它的旧密钥已经过期。"),
    "forged": (
        "Its tag does not fit: something in it was changed after it was sealed.",
        "校验码不符：封装之后，内容被改动过。",
    ),
    "unreadable": ("It opens, and holds nothing that this version writes.", "它能打开，但里面不是本版本写入的内容。"),
    "expired": ("It was not used for longer than a session lives.", "它太久没有使用，会话已经过期。"),
    "too_old": ("The session is older than any may become.", "会话超过了最长期限。"),
    "from_the_future": ("It was sealed ahead of this server’s clock.", "它的封装时间比这台服务器的时钟还晚。"),
    "ambiguous": (
        "Your browser sent two different sessions under one name, and neither is taken.",
        "浏览器用同一个名称发来了两个不同的会话，两个都不采用。",
    ),
    "unknown_id": ("No store has a session of this id.", "存储中没有这个编号的会话。"),
    "invalid": ("Its content is not what the application expects.", "它的内容不符合应用程序的要求。"),
    "ended": ("The session was ended, or it has another id now.", "会话已经结束，或者已经换了编号。"),
    "revoked": ("The session was ended from elsewhere.", "会话已经在别处被结束。"),
    "reused": (
        "It has another id now, and this is a copy of the old one: the session was ended for all who have it.",
        "会话已经换了编号，这是旧编号的副本：会话已对所有持有者结束。",
    ),
    "unrevoked": (
        "The session was ended in this browser only: nothing remembers that copies of its cookie should not count.",
        "会话只在这个浏览器中结束：没有地方记住它的 Cookie 副本已经无效。",
    ),
    "late": ("It was changed when the response had already left.", "它在响应发出之后才被改动。"),
    "store_down": ("The store of the sessions does not answer.", "会话存储没有响应。"),
}
_UNITS = ((86400, "day", "天"), (3600, "hour", "小时"), (60, "minute", "分钟"), (1, "second", "秒"))


def language() -> str:
    """Gives the language of this response: en or zh-CN, which the browser likes better."""
    if "language" not in g:
        g.language = _LANGUAGES[request.accept_languages.best_match(_LANGUAGES, "en")]
        after_this_request(_vary)
    return str(g.language)


def _vary(response: Response) -> Response:
    response.vary.add("Accept-Language")
    return response


def vocabulary() -> dict[str, Any]:
    """Gives what each template needs to speak."""
    return {"language": language(), "say": say, "say_instant": say_instant, "say_span": say_span}


def say(text: str, **values: Any) -> Markup:
    """Gives a text as HTML. The values in it are escaped."""
    own = TEXTS[text][language() == "zh-CN"]
    return Markup(own).format(**values)  # noqa: S704 - our own HTML, and `format` escapes the values


def say_span(seconds: float) -> str:
    """Gives a duration in its two largest units: 6 days 23 hours."""
    left = int(seconds)
    parts: list[str] = []
    for size, english, chinese in _UNITS:
        count, left = divmod(left, size)
        if count or (size == 1 and not parts):
            parts.append(f"{count} {chinese}" if language() == "zh-CN" else f"{count} {english}{'s' * (count != 1)}")
        elif parts:
            break
    return " ".join(parts[:2])


def say_instant(seconds: float) -> str:
    """Gives an instant as both languages write it."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
