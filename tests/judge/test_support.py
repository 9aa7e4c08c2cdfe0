"""Names, numbers and words that a document does not support, and the many ways in which it does."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lastmile.judge.document import Text, read_document
from lastmile.judge.names import name_places
from lastmile.judge.support import find_unsupported_entities, find_unsupported_numbers, find_unsupported_words

KNOWN = frozenset(("smith", "london", "monday", "germany", "german", "paris", "timothy", "nato", "oslo", "brown"))
MIXED = (
    "Smith",
    "the",
    "U.S.",
    "5:30",
    "1,200",
    "twenty",
    "five",
    "hundred",
    "Person1#",
    "it's",
    "first",
    "A380",
    "3rd",
)


def entities(document, summary, cased=True):
    text = Text(summary)
    return find_unsupported_entities(text, read_document(document), name_places(text, cased, KNOWN), 20)


def texts(flags):
    return [flag.text for flag in flags]


@pytest.mark.parametrize(
    ("document", "summary", "flagged"),
    [
        ("Mr. Smith left Berlin.", "Smith left London.", ["London"]),
        ("The mayor spoke.", "The mayor, Karl Ove Berg, spoke.", ["Karl Ove Berg"]),
        ("Tom Brown called.", "He was called by Tom Smith.", ["Smith"]),
        ("#Person1#: Hello. #Person2#: Hi.", "#Person1# greets #Person3#.", ["Person3"]),
        ("The ship sank.", "The ship HMS Erebus sank.", ["HMS Erebus"]),
        ("He flew home.", "He flew home in an A380.", ["A380"]),
        ("We met in spring.", "They met on Monday.", ["Monday"]),
        ("An alliance met.", "NATO met.", ["NATO"]),
        ("He works at a bank.", "He works at the BBC.", ["BBC"]),
        ("Iran signed.", "The deal with Iraq was signed.", ["Iraq"]),
        ("She is ill.", "Paris says she is ill.", ["Paris"]),
    ],
)
def test_names_that_the_document_lacks(document, summary, flagged):
    assert texts(entities(document, summary)) == flagged


@pytest.mark.parametrize(
    ("document", "summary"),
    [
        ("Ann Smith's car broke.", "The car of Smith broke."),
        ("He was born in Germany.", "He is a German."),
        ("Two Germans won.", "The winners came from Germany."),
        ("They toured Italy.", "The Italians liked them."),
        ("She moved to France.", "She learns French."),
        ("the u.s. senate met", "The US Senate met."),
        ("The USA won.", "An American team won."),
        ("The United Nations voted.", "The UN voted, said the United Nations."),
        ("The British Broadcasting Corporation apologised.", "He heard it on the BBC."),
        ("The EU agreed.", "The leaders of the European Union agreed."),
        ("The FBI searched it.", "It was searched by the Federal Bureau of Investigation."),
        ("We took an E-mail course.", "They took an Email course."),
        ("He uses face book.", "He is on Facebook."),
        ("He is on Facebook.", "He uses Face Book."),
        ("Tim came.", "They say Timothy came."),
        ("My brother Robert came.", "His brother Bob came."),
        ("This is Marry speaking.", "A woman, Marry, is speaking."),
        ("Stevenson won.", "The winner was Stevensen."),
        ("The Bank of England met.", "The BoE met, or the BE."),
        ("See you on Mon.", "They meet on Monday."),
        ("It was said by DR. BLACK.", "It was said by Dr. Black."),
        ("#Person1#: Hi, I am Ann.", "#Person1# is Ann."),
        ("They left.", "Yesterday they left. However, I think OK."),
        ("A storm hit the coast.", "Storm hits coast: Thousands flee"),
        ("He told her to go.", 'He said: "Leave." (Really.)'),
    ],
)
def test_names_that_it_has_otherwise(document, summary):
    assert texts(entities(document, summary)) == []


def test_a_line_in_capitals_says_nothing_of_names():
    assert entities("Storm hits the coast.", "Big Storm Hits Whole Coast") == ()
    assert texts(entities("Storm hits the coast.", "BIG STORM HITS LONDON NOW")) == ["LONDON"]


def test_without_case_a_name_is_a_known_name():
    document = "#Person1#: I met Ann in Berlin."
    lower = "# person1 # met mr. smith in london, not ann, and zyx."
    assert texts(entities(document, lower, cased=False)) == ["smith", "london"]
    assert entities(document, "# person1 # met ann in berlin.", cased=False) == ()
    assert texts(entities(document, "# person2 # met ann.", cased=False)) == ["person2"]


def test_cost_and_evidence_of_a_name():
    document = "Rain fell all day. The mayor opened a bridge. Snow fell at night."
    (flag,) = entities(document, "The mayor opened a bridge in New York City.")
    assert (flag.name, flag.text, flag.cost) == ("unsupported_entity", "New York City", 3 / 20)
    assert flag.evidence == "The mayor opened a bridge."
    (flag,) = entities("Rain fell.", "Oslo won.")
    assert flag.evidence == "not in the document"


def numbers(document, summary):
    return texts(find_unsupported_numbers(Text(summary), read_document(document), 20))


@pytest.mark.parametrize(
    ("document", "summary", "flagged"),
    [
        ("He paid 20 dollars.", "He paid 30 dollars.", ["30"]),
        ("He paid 20 dollars.", "He paid thirty-five dollars.", ["thirty-five"]),
        ("It began in 1998.", "It began in 1989.", ["1989"]),
        ("Sales rose 3.5 million.", "Sales rose by 3.5 billion.", ["3.5 billion"]),
        ("It opens at 5:30.", "It opens at 6:30.", ["6:30"]),
        ("It opens at 5 pm.", "It opens at 7pm.", ["7pm"]),
        ("She finished second.", "She finished third.", ["third"]),
        ("In the 1980s it was new.", "In the 1970s it was new.", ["1970s"]),
        ("A few people came.", "Thousands of people came.", ["Thousands"]),
        ("We stayed a week.", "They stayed two weeks.", ["two"]),
        ("Prices rose.", "Prices rose by 12 percent.", ["12"]),
        ("She has five cats and three dogs.", "She has eight pets.", ["eight"]),
        ("He is 19.", "He is 20.", ["20"]),
        ("In 2012 he left.", "In about 2010 he left.", ["2010"]),
        ("Call 555 1234.", "The number is 12345678901234567890.", ["12345678901234567890"]),
    ],
)
def test_numbers_that_the_document_lacks(document, summary, flagged):
    assert numbers(document, summary) == flagged


@pytest.mark.parametrize(
    ("document", "summary"),
    [
        ("He is 20.", "He is twenty."),
        ("He is twenty-one.", "He is 21."),
        ("We need a dozen.", "They need 12, or twelve."),
        ("It costs $1,200.", "It costs 1200 dollars, or twelve hundred."),
        ("He paid £3.5m.", "He paid 3.5 million, 3,500,000 in all."),
        ("It will cost half a billion.", "It will cost 500 million."),
        ("Half of them left.", "50% of them left."),
        ("It took half an hour.", "It took 30 minutes."),
        ("In nineteen eighty-four we met.", "They met in 1984."),
        ("It was the '90s.", "It was in the 1990s."),
        ("Back in the nineties.", "It was in the 1990s."),
        ("Come at half past five.", "The visit is at 5:30."),
        ("Come at a quarter to six.", "The visit is at 5:45."),
        ("Come at five thirty.", "The visit is at 5:30."),
        ("The train leaves at 17:30.", "The train leaves at 5:30 pm."),
        ("The train leaves at 5:00.", "The train leaves at five o'clock."),
        ("That is ten dollars and fifty cents.", "It costs $10.50."),
        ("That is four fifty.", "It costs $4.50."),
        ("On the fifth of May.", "On May 5th."),
        ("My number is six two five, five five one.", "The number is 625."),
        ("19,874 fans came.", "About 20,000 fans came; nearly 20 thousand."),
        ("1,187 people voted.", "1,200 people voted."),
        ("There were 1,300 of them.", "Thousands came: more than 1000."),
        ("Both came. We had one each.", "The two of them came, and one of them ate two."),
        ("We read two hundred and five pages.", "They read 205 pages."),
        ("It is at 1 - 2 Main St.", "It is at 1-2 Main St."),
        ("It was 5:30 and cost 1,200.", "it was 5 : 30 and cost 1, 200."),
        ("He scored in the 65th minute.", "He scored in the 65th minute."),
        ("Order 12345678901234567890 came.", "Order 12345678901234567890 came."),
    ],
)
def test_numbers_that_it_has_otherwise(document, summary):
    assert numbers(document, summary) == []


def content_words(document, summary, cased=True):
    text = Text(summary)
    return texts(find_unsupported_words(text, read_document(document), name_places(text, cased, KNOWN), 20))


@pytest.mark.parametrize(
    ("document", "summary", "flagged"),
    [
        ("He bought a car.", "He stole a bicycle.", ["stole", "bicycle"]),
        ("The committee decided to wait.", "The committee's decision was to wait.", []),
        ("They buy bread.", "Bread was bought.", []),
        ("The children played.", "A child plays.", []),
        ("She is a producer.", "She produced it.", []),
        ("We need a mobile-phone.", "They need a mobilephone.", []),
        ("My mum is happy.", "Her mother is unhappy.", ["unhappy"]),
        ("He ran.", "He ran in London with 12 of them.", []),
    ],
)
def test_content_words(document, summary, flagged):
    assert content_words(document, summary) == flagged


sentence = st.lists(
    st.sampled_from(MIXED) | st.text("abcÄß'’.,-0123456789", min_size=1, max_size=6),
    min_size=1,
    max_size=12,
).map(" ".join)


@given(parts=st.lists(sentence, min_size=1, max_size=4), cased=st.booleans(), data=st.data())
@settings(max_examples=400, deadline=None)
def test_what_the_document_says_itself_is_supported(parts, cased, data):
    document = " ".join(parts)
    summary = data.draw(st.sampled_from(parts))
    text = Text(summary if cased else summary.lower())
    names = name_places(text, cased, KNOWN)
    read = read_document(document)
    assert find_unsupported_entities(text, read, names, 20) == ()
    assert find_unsupported_numbers(text, read, 20) == ()
    assert find_unsupported_words(text, read, names, 20) == ()
