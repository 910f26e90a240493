import pytest

from chatgenimage.workers.llm.text import clean, split_thoughts

ANSWER = '{"features": ["golden fur"]}'


@pytest.mark.parametrize(
    ("text", "thoughts"),
    [
        pytest.param(ANSWER, "", id="none"),
        pytest.param(
            f"<think>1. fur\n2. ears</think>\n\n{ANSWER}", "1. fur\n2. ears", id="DeepSeek"
        ),
        pytest.param(f"1. fur\n2. ears\n</think>\n{ANSWER}", "1. fur\n2. ears", id="lone closing"),
        pytest.param(f"<think>\n\n</think>\n{ANSWER}", "", id="Qwen3, not thinking"),
        pytest.param(f"<think>a</think>{ANSWER}<think>b</think>", "ab", id="two"),
        pytest.param(f"<think>a <think>b</think> c</think>{ANSWER}", "a b c", id="nested"),
        pytest.param(f"<THINKING>a</THINKING>{ANSWER}", "a", id="another name"),
        pytest.param(f"[THINK]a[/THINK]{ANSWER}", "a", id="Magistral"),
        pytest.param(f"\u25c1think\u25b7a\u25c1/think\u25b7{ANSWER}", "a", id="Kimi"),
        pytest.param(f"{ANSWER}<think>and now", "and now", id="never closed"),
        pytest.param(
            "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final"
            f"<|message|>{ANSWER}<|return|>",
            "<|channel|>analysis<|message|>a<|end|><|start|>assistant",
            id="gpt-oss",
        ),
        pytest.param(
            f"<|channel|>final <|constrain|>JSON<|message|>{ANSWER}", "", id="gpt-oss with a schema"
        ),
    ],
)
def test_thoughts_are_separated_from_the_answer(text, thoughts):
    assert split_thoughts(text) == (ANSWER, thoughts)


def test_thoughts_alone_are_no_answer():
    assert split_thoughts("<think>hm, a dog") == ("", "hm, a dog")
    assert split_thoughts("<|channel|>analysis<|message|>hm")[0] == ""


def test_many_tags_take_no_time():
    answer, thoughts = split_thoughts("<think>" * 200_000)
    assert (answer, thoughts) == ("", "")


def test_clean_text_keeps_line_breaks_and_letters():
    assert clean("a\tb\r\nc \u72ac \U0001f415") == "a\tb\r\nc \u72ac \U0001f415"
    assert clean("a\x00b\x1b[0mc\x9bd\ud800e\x7f") == "ab[0mcde"
