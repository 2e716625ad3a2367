"""OpenTok's SDK for Python against a running server: every call, and its error for each refusal.

A test runs this (`driver.rs`), with the server as argument, and is the people who are asked for on standard output.
"""

import base64
import json
import sys
import time
import urllib.request

import opentok.exceptions as errors
from opentok import ArchiveModes, Client, MediaModes, OutputModes, Roles, StreamModes

server = json.loads(sys.argv[1])
called = set()


class Recorded:
    """A client of the SDK that records its calls."""

    def __init__(self, client):
        self.client = client

    def __getattr__(self, name):
        called.add(name)
        return getattr(self.client, name)


ours = Recorded(Client(server["key"], server["secret"], api_url=server["url"]))
other = Client(str(server["otherKey"]), server["otherSecret"], server["url"])
stranger = Client(server["key"], "not the secret, though as long as one is", api_url=server["url"], timeout=20)

NO_SESSION = "2_" + base64.urlsafe_b64encode(f"~{server['key']}~~1~x~".encode()).decode()
NOTHING = "00000000-0000-4000-8000-000000000000"


def ask(what, **details):
    """Requests an action of a client."""
    print(json.dumps({"ask": what, **details}), flush=True)
    return json.loads(sys.stdin.readline())


def refused(kind, said, function, *given, **named):
    """Checks that a call fails with exactly this error, whose text contains this."""
    try:
        result = function(*given, **named)
    except errors.OpenTokException as error:
        told = " ".join(str(part) for part in error.args)
        assert type(error) is kind and said in told, f"{type(error).__name__}: {told}"
        return
    raise AssertionError(f"it was done: {result}")


def equal(found, expected):
    assert found == expected, f"{found!r} is not {expected!r}"


def sessions():
    relayed = ours.create_session()
    routed = ours.create_session(media_mode=MediaModes.routed, location="12.34.56.78", e2ee=False)
    assert relayed.session_id != routed.session_id
    ours.create_session(
        media_mode=MediaModes.routed,
        archive_mode=ArchiveModes.always,
        archive_name="all of it",
        archive_resolution="1920x1080",
    )
    refused(errors.RequestError, "invalid credentials", stranger.create_session)
    return relayed.session_id, routed.session_id


def tokens(relayed, routed):
    for session in (relayed, routed):
        for use_jwt in (True, False):
            data = 'name=Ann & "Bob" é 🙂 %20+'
            token = ours.generate_token(session, data=data, use_jwt=use_jwt)
            equal(ask("enter", session=session, token=token)["data"], data)
            for role in Roles:
                token = ours.generate_token(session, role, use_jwt=use_jwt)
                ask("enter", session=session, token=token)
            good = ours.generate_token(session, expire_time=time.time() + 60, use_jwt=use_jwt)
            ask("enter", session=session, token=good)
            bad = good[:30] + ("B" if good[30] == "A" else "A") + good[31:]
            equal(ask("refusal", session=session, token=bad), 1004)
            forged = stranger.generate_token(session, use_jwt=use_jwt)
            equal(ask("refusal", session=session, token=forged), 1004)
    token = ours.generate_token(relayed)
    equal(ask("refusal", session=routed, token=token), 1004)


def streams():
    routed = ours.create_session(media_mode=MediaModes.routed)
    session = routed.session_id
    equal(len(ours.list_streams(session)), 0)
    token = routed.generate_token(initial_layout_class_list=["focus", "small"])
    ann = ask("enter", session=session, token=token)["connectionId"]
    bob = ask("enter", session=session, token=routed.generate_token())["connectionId"]
    of_ann = ask("publish", connection=ann, name="Ann’s camera")
    of_bob = ask("publish", connection=bob, name="")
    described = {
        "id": of_ann,
        "videoType": "camera",
        "name": "Ann’s camera",
        "layoutClassList": ["focus", "small"],
    }
    found = ours.list_streams(session)
    equal(found.count, 2)
    equal([stream.attrs() for stream in found][0], described)
    equal(ours.get_stream(session, of_ann).attrs(), described)
    refused(errors.GetStreamError, "invalid stream ID", ours.get_stream, session, NOTHING)
    # This call returns an empty list for an unknown session.
    equal(len(ours.list_streams(NO_SESSION)), 0)
    equal(len(other.list_streams(session)), 0)
    refused(errors.AuthError, "API key", stranger.list_streams, session)
    refused(errors.AuthError, "API key", stranger.get_stream, session, of_ann)

    ours.set_stream_class_lists(session, [{"id": of_bob, "layoutClassList": ["full"]}])
    equal(ours.get_stream(session, of_bob).layoutClassList, ["full"])
    wrong = [{"id": of_bob, "layoutClassList": ["two words"]}]
    refused(errors.SetStreamClassError, "layout", ours.set_stream_class_lists, session, wrong)
    refused(errors.AuthError, "", stranger.set_stream_class_lists, session, [])

    equal(ours.mute_stream(session, of_ann).json()["status"], "ACTIVE")
    equal(ask("event", connection=ann, type="streamMuted")["streamId"], of_ann)
    refused(errors.OpenTokException, "stream_id", ours.mute_stream, session, NOTHING)
    equal(ours.mute_all(session, [of_ann]).json()["status"], "ACTIVE")
    equal(ask("event", connection=bob, type="streamMuted")["streamId"], of_bob)
    equal(ask("event", connection=ann, type="muteForced")["active"], True)
    equal(ours.disable_force_mute(session).json()["status"], "ACTIVE")
    equal(ask("event", connection=ann, type="muteForced")["active"], False)
    ours.mute_all(session, None)
    equal(ask("event", connection=ann, type="muteForced")["active"], True)
    refused(errors.OpenTokException, "session_id", ours.mute_all, NO_SESSION, [])
    refused(errors.OpenTokException, "session_id", ours.disable_force_mute, NO_SESSION)
    refused(errors.OpenTokException, "session_id", stranger.mute_all, session, [])

    def heard(connection):
        signal = ask("event", connection=connection, type="signal")
        assert signal.get("from") is None
        return signal["signalType"], signal["data"]

    ours.send_signal(session, {"type": "chat", "data": "to all"})
    equal(heard(ann), ("chat", "to all"))
    equal(heard(bob), ("chat", "to all"))
    ours.signal(session, {"type": "chat", "data": "to Bob"}, bob)
    ours.send_signal(session, {"type": "last", "data": ""})
    equal(heard(bob), ("chat", "to Bob"))
    equal(heard(ann), ("last", ""))
    # Its own errors are unreachable behind an earlier condition.
    refused(errors.RequestError, "400", ours.send_signal, session, {"type": "chat"})
    refused(errors.RequestError, "413", ours.send_signal, session, {"data": "x" * 8193})
    refused(errors.RequestError, "404", ours.send_signal, session, {"data": ""}, NOTHING)
    refused(errors.RequestError, "404", ours.send_signal, NO_SESSION, {"data": ""})
    refused(errors.RequestError, "403", stranger.send_signal, session, {"data": ""})

    refused(errors.AuthError, "", stranger.force_disconnect, session, bob)
    refused(errors.ForceDisconnectError, "not connected", other.force_disconnect, session, bob)
    ours.force_disconnect(session, bob)
    equal(ask("event", connection=bob, type="disconnected")["reason"], "forceDisconnected")
    refused(errors.ForceDisconnectError, "not connected", ours.force_disconnect, session, bob)


def archives(relayed):
    routed = ours.create_session(media_mode=MediaModes.routed)
    session = routed.session_id
    start = ours.start_archive
    refused(errors.NotFoundError, "Session not found", start, session)
    refused(errors.NotFoundError, "Session not found", start, NO_SESSION)
    refused(errors.ArchiveError, "relayed", start, relayed)
    ask("film", session=session, token=routed.generate_token())
    stream = next(iter(ours.list_streams(session))).id

    no_media = {"has_audio": False, "has_video": False}
    refused(errors.RequestError, "audio, video or both", start, session, **no_media)
    refused(errors.RequestError, "640x480", start, session, resolution="1x1")
    custom = {"type": "custom", "stylesheet": "stream {}"}
    refused(errors.RequestError, "stylesheet", start, session, layout=custom)
    refused(errors.RequestError, "501", start, session, has_transcription=True)
    refused(errors.AuthError, "", stranger.start_archive, session)
    composed = start(session, name="Talk", resolution="1280x720", layout={"type": "pip"}, quantization_parameter=30)
    equal(
        [composed.name, composed.status, composed.session_id, composed.resolution, composed.output_mode],
        ["Talk", "started", session, "1280x720", OutputModes.composed],
    )
    equal([composed.partner_id, composed.stream_mode, composed.url], [server["key"], "auto", None])
    equal(composed.quantization_parameter, 30)
    assert abs(time.time() - composed.created_at.timestamp()) < 60
    refused(errors.ArchiveError, "already being recorded", start, session)
    by_hand = start(
        session,
        output_mode=OutputModes.individual,
        stream_mode=StreamModes.manual,
        multi_archive_tag="second",
    )
    equal([by_hand.output_mode, by_hand.stream_mode], [OutputModes.individual, "manual"])

    ours.add_archive_stream(by_hand.id, stream, has_video=False)
    chosen = [{"streamId": stream, "hasAudio": True, "hasVideo": False}]
    equal(ours.get_archive(by_hand.id).streams, chosen)
    ours.remove_archive_stream(by_hand.id, stream)
    equal(ours.get_archive(by_hand.id).streams, [])
    ours.add_archive_stream(by_hand.id, stream)
    refused(errors.RequestError, "400", ours.add_archive_stream, by_hand.id, stream, False, False)
    refused(errors.RequestError, "404", ours.add_archive_stream, by_hand.id, NOTHING)
    refused(errors.RequestError, "404", ours.remove_archive_stream, NOTHING, stream)
    refused(errors.RequestError, "405", ours.add_archive_stream, composed.id, stream)
    refused(errors.RequestError, "403", stranger.add_archive_stream, by_hand.id, stream)

    for layout in ("bestFit", "verticalPresentation", "horizontalPresentation", "pip"):
        ours.set_archive_layout(composed.id, layout)
    ours.set_archive_layout(composed.id, "bestFit", screenshare_type="focus")
    lay_out = ours.set_archive_layout
    refused(errors.ArchiveError, "layout", lay_out, composed.id, "custom", "stream {}")
    refused(errors.ArchiveError, "layout", lay_out, composed.id, "round")
    refused(errors.RequestError, "404", lay_out, NOTHING, "pip")
    refused(errors.AuthError, "", stranger.set_archive_layout, composed.id, "pip")

    ask("time")
    refused(errors.RequestError, "409", ours.delete_archive, composed.id)
    stopped = ours.stop_archive(composed.id)
    equal([stopped.id, stopped.status], [composed.id, "stopped"])
    refused(errors.ArchiveError, "not in started state", ours.stop_archive, composed.id)
    refused(errors.NotFoundError, "Archive not found", ours.stop_archive, NOTHING)
    refused(errors.NotFoundError, "Archive not found", other.stop_archive, composed.id)
    refused(errors.AuthError, "", stranger.stop_archive, composed.id)
    by_hand.stop()
    equal(by_hand.status, "stopped")
    refused(errors.RequestError, "409", ours.add_archive_stream, by_hand.id, stream)

    for archive, magic in ((composed, b"ftyp"), (by_hand, b"PK")):
        ask("status", archive=archive.id, status="available")
        done = ours.get_archive(archive.id)
        equal(done.status, "available")
        assert done.duration > 0
        with urllib.request.urlopen(done.url) as reply:
            file = reply.read()
        equal(len(file), done.size)
        assert magic in file[:12], file[:12]
    refused(errors.NotFoundError, "Archive not found", ours.get_archive, NOTHING)
    refused(errors.NotFoundError, "Archive not found", other.get_archive, composed.id)
    refused(errors.AuthError, "", stranger.get_archive, composed.id)

    both = ours.list_archives()
    equal([archive.id for archive in both], [by_hand.id, composed.id])
    equal(both.count, 2)
    page = ours.get_archives(offset=1, count=1, session_id=session)
    equal(([archive.id for archive in page], page.count), ([composed.id], 2))
    equal(len(ours.list_archives(session_id=NO_SESSION)), 0)
    equal(len(other.list_archives()), 0)
    refused(errors.RequestError, "400", ours.list_archives, count=1001)
    refused(errors.AuthError, "", stranger.list_archives)

    refused(errors.AuthError, "", stranger.delete_archive, composed.id)
    refused(errors.NotFoundError, "Archive not found", other.delete_archive, composed.id)
    ours.delete_archive(composed.id)
    refused(errors.NotFoundError, "Archive not found", ours.get_archive, composed.id)
    refused(errors.NotFoundError, "Archive not found", ours.delete_archive, NOTHING)
    by_hand.delete()
    equal(ours.list_archives().count, 0)

    always = ours.create_session(
        media_mode=MediaModes.routed,
        archive_mode=ArchiveModes.always,
        archive_name="All of it",
        archive_resolution="480x640",
    )
    ask("film", session=always.session_id, token=always.generate_token())
    (own,) = ours.list_archives(session_id=always.session_id)
    equal([own.name, own.status, own.resolution], ["All of it", "started", "480x640"])
    own.stop()


def not_offered(session):
    """Features that this server does not offer are refused with a sentence."""
    no = lambda *call, **named: refused(errors.RequestError, "501", *call, **named)
    options = {"outputs": {"hls": {}}}
    no(ours.start_broadcast, session, options)
    no(ours.stop_broadcast, NOTHING)
    no(ours.get_broadcast, NOTHING)
    no(ours.set_broadcast_layout, NOTHING, "pip")
    no(ours.add_broadcast_stream, NOTHING, NOTHING)
    no(ours.remove_broadcast_stream, NOTHING, NOTHING)
    no(ours.dial, session, "x", "sip:user@example.org")
    no(ours.start_render, session, "x", "https://example.org")
    no(ours.get_render, NOTHING)
    no(ours.stop_render, NOTHING)
    no(ours.list_renders)
    no(ours.connect_audio_to_websocket, session, "x", {"uri": "wss://example.org"})
    no(ours.start_captions, session, "x")
    no(ours.stop_captions, NOTHING)
    # This call returns the reply on success, and nothing for an unknown status.
    assert ours.play_dtmf(session, None, "1") is None
    assert ours.play_dtmf(session, NOTHING, "1") is None


relayed, routed = sessions()
tokens(relayed, routed)
streams()
archives(relayed)
not_offered(routed)

# These send nothing, or verify data from others.
called |= {"append_to_user_agent", "get_headers", "get_json_headers", "headers", "json_headers"}
called |= {"validate_websocket_options"}
there = {name for name, value in vars(Client).items() if callable(value) and not name.startswith("_")}
equal(there - called, set())
print(json.dumps({"ask": "done", "called": sorted(called)}), flush=True)
