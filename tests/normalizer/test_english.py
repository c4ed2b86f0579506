"""What the English rules alone make of messages as they come: staff notes, mails, calls, chats, posts, reviews."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from allears_sdk.complaint import Complaint
from allears_sdk.message import Author, Message, Visibility
from normalizer.conversation import Conversation, Facts, Heard
from normalizer.derive import derive

AT = datetime(2024, 6, 1, 8, 0, tzinfo=UTC)


def record(*texts: str, public: bool = False) -> Complaint:
    """As rules alone see it: a model beside them may know better."""
    visibility = Visibility.PUBLIC if public else Visibility.PRIVATE
    heard = tuple(
        Heard(
            message=Message(
                text=text,
                external_id=f"m{number}",
                revision="1",
                author=Author(id="customer"),
                visibility=visibility,
            ),
            received_at=AT,
        )
        for number, text in enumerate(texts)
    )
    conversation = Conversation(reference="ALE-7K3M-Q9TX-4RWD", opened_at=AT, messages=heard)
    return derive(conversation, Facts(channel="desk", connector="form"), model=lambda: None)


@pytest.mark.parametrize(
    ("note", "nature", "priority", "expectation"),
    [
        (
            "Cust called re: parcel. Tracking shows delivered 3 Nov, nothing rec'd. Requests refund of £48.50.",
            "complaint",
            "P2",
            ("refund",),
        ),
        (
            "Guest in 412 complained that the bathroom was dirty. She would like an apology from the manager.",
            "complaint",
            "P3",
            ("apology",),
        ),
        (
            "Tenant reports no heating since Friday, has a newborn. Third call about this. Wants it fixed today.",
            "complaint",
            "P2",
            ("action",),
        ),
        (
            "Patient states she was given the wrong medication, had an allergic reaction and was taken to hospital.",
            "complaint",
            "P1",
            ("none",),
        ),
        ("Caller wants to update delivery address for order 55-20931. No issues reported.", "request", "", ("action",)),
        (
            "Member enquired whether the gold plan covers dental. Advised yes. No further action.",
            "question",
            "",
            ("none",),
        ),
    ],
)
def test_staff_write_of_the_customer_in_the_third_person(
    note: str, nature: str, priority: str, expectation: tuple[str, ...]
) -> None:
    complaint = record(note)

    assert (complaint.nature, complaint.priority, complaint.expectation) == (nature, priority, expectation)


@pytest.mark.parametrize(
    ("text", "nature"),
    [
        ("how to switch some items of order 732201349959?", "question"),
        ("i dont know what i have to do to close a platinum account", "question"),
        ("need help to see the withdrawal fees", "question"),
        ("switch to platinum account", "request"),
        ("i want assistance setting up my delivery address", "request"),
        ("Hi can I move my Thurs delivery slot to Sat AM pls?", "request"),
        ("Please cancel order 5520-11, clicked on the wrong one by mistake. It hasn't shipped yet.", "request"),
        ("could you please send a replacement? the base arrived cracked right through", "complaint"),
        ("I want to file a complaint about your driver", "complaint"),
        ("Nothing's broken, just a thought: it would be really handy to filter by size", "suggestion"),
        ("thanks, all sorted now!", "other"),
        ("Pretty good kettle for the price, boils fast and looks nice.", "praise"),
        ("Thank you for sorting my refund so quickly", "praise"),
    ],
)
def test_who_asks_for_knowledge_orders_nothing_and_who_asks_politely_may_complain(text: str, nature: str) -> None:
    assert record(text).nature == nature


@pytest.mark.parametrize(
    ("post", "nature"),
    [
        ("@AcmeSupport shit, my order", "complaint"),
        ("@lena_draws shit, my exam tomorrow", "other"),
        ("@AcmeAir can't find the crew for our 6pm flight", "complaint"),
        ("@marc0 I can't find my socks lol", "other"),
        ("@AcmeAir why is flight 345 redirected?", "complaint"),
        ("@lena_draws that was so beautiful", "other"),
        ("@AcmeAir I LOVE flying with you!", "praise"),
        ("Enter to win a stroller, link in bio https://t.example/x", "spam"),
    ],
)
def test_the_same_words_weigh_more_when_a_firm_is_spoken_to(post: str, nature: str) -> None:
    assert record(post, public=True).nature == nature


@pytest.mark.parametrize(
    ("text", "expectation"),
    [
        ("My bill is wrong again. Why was I charged a fee?", ("explanation",)),
        ("My luggage is missing. Can you tell me where it is?", ("explanation",)),
        ("The app keeps crashing, what can I do?", ("action",)),
        ("The app keeps crashing. Now what?", ("action",)),
        ("The lamp arrived broken. Fix it.", ("action",)),
        ("The lamp arrived broken. I'd like a full refund or a replacement.", ("exchange", "refund")),
        ("The lamp arrived broken and nobody even offered an apology.", ("none",)),
        ("You lost my parcel. Please resend it.", ("reship",)),
        ("You overcharged me. Send me a corrected invoice.", ("invoice",)),
        ("The lamp arrived broken.", ("none",)),
        ("What is WRONG with these people? Your driver threw my parcel over the fence.", ("none",)),
    ],
)
def test_only_what_is_asked_for_is_expected(text: str, expectation: tuple[str, ...]) -> None:
    assert record(text).expectation == expectation


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("Package left at closed business", "logistics.courier"),
        ("Tracking shows label created, no movement for days", "logistics.delay"),
        ("where are my bags?? landed two hours ago, still no luggage", "logistics.loss"),
        ("Refund processed to expired gift card", "billing.payment"),
        ("Subscription charged after cancellation", "billing.payment"),
        ("Discount code doesn't work on any items", "billing.price"),
        ("Cancellation requires mailed letter", "service.process"),
        ("Return rejected for missing barcode", "policy.refund"),
        ("worst customer service ever, useless", "service.competence"),
        ("been on hold for 50 minutes", "service.waiting"),
        ("no power since last night on our street", "technical.outage"),
        ("my account got suspended for no reason", "technical.account"),
        ("the stitching came loose after one wash", "product.material_defect"),
        ("Received a used laptop instead of a new one", "product.not_as_described"),
        ("my new kettle won't switch on", "product.function_failure"),
    ],
)
def test_what_a_grievance_is_about(text: str, category: str) -> None:
    assert record(text).category == category


@pytest.mark.parametrize(
    ("text", "priority"),
    [
        ("the heater you sold us started smoking and the plug melted", "P1"),
        ("Your whole site is down, nobody can log in", "P1"),
        ("Fix this or you will hear from my lawyer", "P1"),
        ("cosmetics came with a broken safety seal", "P3"),
        ("I have called four times about my missing refund", "P2"),
        ("@AcmeAir worst seat ever", "P3"),
    ],
)
def test_how_urgent(text: str, priority: str) -> None:
    assert record(text).priority == priority


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("please fix this res# ILC0HP, we sit apart", "order", ("ILC0HP",)),
        ("ticket was 180 and the fee is 200", "order", ()),
        ("rebooked on UA1764, which left without us", "product", ()),
        ("charging me 1600$ for a domestic flight", "amount", ("1600$",)),
        ("my new S8 is the worst phone I have had", "product", ("S8",)),
        ("The Castaway app logs me out", "product", ("Castaway app",)),
        ("Your app logs me out, and The App Store is no help", "product", ()),
        ("thanks to Lea in the Chicago office for her help", "person", ("Lea",)),
        ("Not impressed, Amy! The bar was shut.", "person", ("Amy",)),
        ("Customer Joan McArdle states the door jams", "person", ("Joan McArdle",)),
        ("Will you be in Paris on Sunday, or in May?", "person", ()),
        ("Your supervisor Bethan hung up on me", "person", ("Bethan",)),
    ],
)
def test_names_and_numbers_of_english_messages(text: str, kind: str, words: tuple[str, ...]) -> None:
    assert getattr(record(text).entities, kind) == words


@pytest.mark.parametrize(
    "unit",
    ["want a ", "please ", "why is ", "?!", "my new ", "waiting for ", "A B ", "John ", "- Ann\n", "can you ", "$1 "],
)
def test_work_grows_with_the_length_alone(unit: str) -> None:
    """Twenty times the text is far from four hundred times the work."""
    short, long = unit * (1_000 // len(unit)), unit * (20_000 // len(unit))
    record(short), record(long)

    assert _seconds(long) < 80 * _seconds(short) + 0.05


def _seconds(text: str) -> float:
    best = 9.0
    for _ in range(3):
        began = time.process_time()
        record(text)
        best = min(best, time.process_time() - began)
    return best
