"""Answers in LaTeX with words, units and signs around their values, by kind of writing."""

import pytest

from weft.benchmarks.latex_answers import are_same_answer

SAME = {
    "words around a value": [
        (r"\text{The final answer is } 42", "42"),
        (r"\text{approximately } 42", "42"),
        (r"\text{42 residents}", "42"),
        (r"\text{There are }42\text{ such pairs}", "42"),
        (r"\text{vertices } (1,2)", "(1,2)"),
        (r"\frac{5}{12}\text{ of the pie}", r"\frac{5}{12}"),
        (r"42 \quad \text{done}", "42"),
        ("Therefore, the final answer is 12.", "12"),
        (r"3+7k \text{ for all integers } k", "3+7k"),
    ],
    "colour, size and weight": [
        (r"\textcolor{blue}{\frac{3}{4}}", r"\frac34"),
        (r"\color{green} 15", "15"),
        (r"{\bf 15}", "15"),
        (r"\boldsymbol{\pi}", r"\pi"),
        (r"\underline{\mathsf{15}}", "15"),
        (r"\hspace{3mm}\Large 15", "15"),
        (r"\textbf{(B)}", r"\text{(B)}"),
        (r"\begin{aligned} y &= 15 \end{aligned}", "15"),
        ("__15__", "15"),
        ("```\n15\n```", "15"),
    ],
    "about signs": [
        (r"\approx 3.14", "3.14"),
        ("≈ 42", "42"),
        (r"\simeq 42", "42"),
        (r"0.429 \approx \frac37", r"\frac37"),
        (r"\frac37 \approx 0.43", r"\frac37"),
        ("~42", "42"),
    ],
    "spaces": [
        (r"9~500", "9500"),
        (r"9\ 500", "9500"),
        (r"9\thinspace500", "9500"),
        (r"(1,~2)", "(1,2)"),
        ("12 345 678", "12345678"),
        (r"x~=~15\ ", "15"),
    ],
    "mixed numbers": [
        ("3 1/2", r"\frac72"),
        ("-3 1/2", "-3.5"),
        (r"3\frac{1}{2}\text{ cups}", "3.5"),
        ("2½", "2.5"),
        (r"1 \frac{3}{4}", "1.75"),
    ],
    "variables": [
        ("9d+2", "2+9d"),
        (r"-5t^2+20t", "20t-5t^2"),
        ("3bc", "3cb"),
        ("dy", "yd"),
        (r"\frac{hx}{2}", r"\frac{1}{2}xh"),
        (r"8h", r"8\text{ hours}"),
    ],
    "units": [
        ("60 people", "60"),
        ("60 km/h", "60"),
        ("60 cm^2", "60"),
        (r"60\text{ cm}^2", r"60\text{ square centimeters}"),
        (r"\mathrm{60\ kg}", "60"),
        ("60 m", "60"),
        ("60m", "60"),
        (r"\$3.50", "3.5"),
        ("£3.50", "3.5"),
        ("USD 60", "60"),
        (r"60^\text{th}", "60"),
        (r"60\text{ minutes}", r"60\text{ min}"),
        ("4 hr 15 min", r"4\text{ hours }15\text{ minutes}"),
        (r"60^{\circ}\text{F}", "60"),
    ],
    "imaginary unit": [
        ("i^{10}", "-1"),
        ("(1-i)^2", "-2i"),
        (r"3i\sqrt{7}", r"3\sqrt7 i"),
        (r"4+3\mathrm{i}", "4+3i"),
        (r"\frac{-1\pm i\sqrt{3}}{2}", r"-\frac12 \pm \frac{\sqrt3}{2} i"),
        (r"e^{i\pi/2}", "i"),
        (r"\sqrt{-25}", "5i"),
        ("|5+12i|", "13"),
    ],
    "arguments and brackets": [
        (r"\frac\pi{12}", r"\frac{\pi}{12}"),
        (r"3^\frac12", r"\sqrt3"),
        (r"\sqrt\pi", r"\sqrt{\pi}"),
        (r"\sqrt[4]{16}", "2"),
        (r"\Bigl(2,\tfrac13\Bigr)", r"(2,\frac13)"),
        (r"\left.\frac37\right.", r"\frac37"),
        (r"\mid -8\mid", "8"),
        (r"{3 \over 7}", r"\frac37"),
    ],
    "signs beyond ASCII": [
        ("2√3", r"2\sqrt{3}"),
        ("x² − 4", "x^2-4"),
        ("5×10³", "5000"),
        ("¾", "0.75"),
        ("⌊4.2⌋", "4"),
        ("３", "3"),
    ],
    "repeating decimals": [
        (r"0.\overline{18}", r"\frac{2}{11}"),
        (r"1.\overline{3}", r"\frac43"),
        (r"0.1\bar{6}", r"\frac16"),
        (r"0.\overline{9}", "1"),
        (r"0.333\ldots", r"\frac13"),
    ],
    "degrees": [
        (r"\cos 120^\circ", r"-\frac12"),
        (r"\sin(45^{\circ})", r"\frac{\sqrt2}{2}"),
        (r"(3, 60^\circ)", r"(3,\frac{\pi}{3})"),
        ("75°", "75"),
    ],
    "bases": [
        ("(2112)_3", "2112_3"),
        (r"2112_{\text{three}}", "2112_3"),
        (r"2112\text{ (base 3)}", "2112_3"),
        (r"2112 \text{ in base three}", "2112_3"),
        ("2112", "2112_3"),
        ("12_3", "5"),
        ("1AB_{16}", "1ab_{16}"),
    ],
    "roots with variables": [
        (r"\sqrt{\frac{1}{k}}", r"\frac{1}{\sqrt{k}}"),
        (r"\sqrt{y}\sqrt{y}", "y"),
        (r"\sqrt{ab}", r"\sqrt{a}\sqrt{b}"),
    ],
    "names and equations": [
        ("15 = x", "15"),
        ("x = 15 = y", "15"),
        (r"y \equiv 4 \pmod{11}", "4"),
        (r"4 \text{ (mod } 11)", r"4 \pmod{11}"),
        (r"\|v\| = 15", "15"),
        ("3x + c", "f(x) = 3x + c"),
        (r"3, 6, \dots, 3n", r"3, 6, \ldots, 3n"),
        (r"2 \text{ to } 1", "2:1"),
        (r"2{:}1", "2:1"),
    ],
    "words": [
        ("Monday", r"\text{Monday}"),
        (r"\text{on Monday}", r"\text{Monday}"),
        ("b)", r"\text{(B)}"),
        ("The answer is (B).", r"\text{(B)}"),
        (r"\textbf{(B) }12", r"\text{(B)}"),
        ("May 3", r"\text{May 3}"),
        (r"\text{Bob and Alice}", r"\text{Alice, Bob}"),
        (r"\text{no real solutions}", r"\emptyset"),
        (r"\text{eleven}", "11"),
        ("7:30 PM", r"7:30 \text{ p.m.}"),
    ],
    "escaped twice": [
        (r"\\frac{1}{2}", r"\frac12"),
        (r"\begin{pmatrix}1\\\\2\end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}"),
        (r"15\\", "15"),
    ],
    "tiny values": [
        (r"3\times 10^{-25}", r"\frac{3}{10^{25}}"),
        ("2^{-70}", r"\frac{1}{2^{70}}"),
    ],
}
DIFFERENT = {
    "words around a value": [
        (r"\text{not }42", "42"),
        (r"5 \text{ less than } x", "5"),
        (r"\text{at most }42", "42"),
        (r"n^2\text{ for }n\ge 1", r"n^2\text{ for }n\ge 2"),
    ],
    "mixed numbers": [("1 1/4", r"\frac{11}{4}"), ("3 1/2", r"\frac{3}{2}")],
    "spaces": [
        ("2 3", "23"),
        ("2 3", "6"),
        ("5 5", "5"),
        ("2, 2, 7", "2, 7"),
        ("1 2 3", "123"),
        ("3-2", "3, -2"),
    ],
    "variables": [
        ("7d", "7"),
        ("7k", "7"),
        ("7", "7t"),
        ("1+3t", "4"),
        ("7m^2", "7"),
        ("ab^2", "a^2b"),
        ("7m", "7t"),
    ],
    "units": [
        (r"25\text{ cm}^3", r"25\text{ cm}^2"),
        (r"12 \text{ inches}", r"12 \text{ feet}"),
        (r"4\text{ hours }15\text{ minutes}", r"4\text{ hours }51\text{ minutes}"),
        (r"4\text{ hours}", r"4\text{ hours }15\text{ minutes}"),
        (r"7:30 \text{ a.m.}", r"7:30 \text{ p.m.}"),
        (r"60\text{ cm}", "61"),
    ],
    "bases": [("(2112)_4", "2112_3"), (r"2112 \text{ in base four}", "2112_3"), ("2112_3", "2112")],
    "primes": [("g'(x)", "g(x)"), ("y'=2x", "y=2x"), ("A^T", "A"), (r"x^\prime", "x")],
    "words": [
        ("lion", r"\text{loin}"),
        ("lion", "loin"),
        ("BAC", "ABC"),
        (r"\angle ABC", r"\angle ACB"),
        (r"\text{Evelyn is not the fastest}", r"\text{Evelyn}"),
        (r"\text{even number}", r"\text{odd}"),
        (r"\text{June 21}", r"\text{June 20}"),
        ("", r"\text{odd}"),
    ],
    "tiny values": [
        (r"\frac{1}{2^{70}}", r"\frac{1}{2^{71}}"),
        (r"1-\frac{1}{7^{30}}", "1"),
        (r"\frac{1}{80!}", "0"),
        (r"(1, 10^{-21})", r"(1, 10^{-20})"),
        ("e^{-50}", "e^{-49}"),
    ],
    "roots with variables": [(r"\sqrt{x^2}", "x"), (r"\sqrt{x+1}", r"\sqrt{x}+1"), (r"\frac{x^2}{|x|}", "x")],
    "degrees": [(r"\sin 30", r"\frac12"), (r"\sin 30^\circ", r"\sin 30")],
    "commands": [(r"\write18{12}", "18"), (r"\write18{12}", "12"), (r"\cancel{12}", "12")],
}


def list_cases(cases):
    return [pytest.param(*case, id=f"{kind}: {case[0]}") for kind, pairs in cases.items() for case in pairs]


@pytest.mark.parametrize(("stated", "reference"), list_cases(SAME))
def test_an_answer_is_the_reference_in_another_writing(stated, reference):
    assert are_same_answer(stated, reference)


@pytest.mark.parametrize(("stated", "reference"), list_cases(DIFFERENT))
def test_an_answer_with_another_meaning_differs(stated, reference):
    assert not are_same_answer(stated, reference)
