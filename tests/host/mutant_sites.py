"""tests/host/mutant_sites.py - finds every place of a C file where a mutation operator applies.

The file is cut into tokens; bodies of functions are parsed into statements, as far as mutating needs it: where a statement begins and ends,
and where its condition is.  Nothing is known of types.  A mutant that does not compile, or that compiles to the same code, is for
mutants.py to throw away.

A mutant is a list of edits (start, end, new text) of the file.  What is never mutated: assertions, panics, casts to void, the preprocessor.
"""
import dataclasses
import re

TOKEN = re.compile(r"""
    (?P<skip> \s+ | /\*.*?\*/ | //[^\n]* | ^[ \t]*\#(?:\\\n|[^\n])* )
  | (?P<string> "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' )
  | (?P<name> [A-Za-z_]\w* )
  | (?P<number> \d[\w.]* )
  | (?P<mark> \.\.\. | <<= | >>= | -> | \+\+ | -- | << | >> | <= | >= | == | != | && | \|\| | [-+*/%&|^]= | . )
""", re.X | re.S | re.M)

OPEN, CLOSE = {"(": ")", "[": "]", "{": "}"}, {")", "]", "}"}
TYPE_WORDS = set("static const volatile unsigned signed struct enum union char int long short void bool size_t ssize".split())
LEAVES = {"return", "goto", "break", "continue"}
PASSIVE = re.compile(r"assert$|panic$|_Static_assert$|lock_check_")
LOCK = re.compile(r"(?:^|_)lock(?:_irq|_nested|_checked)?$")
UNLOCK = re.compile(r"(?:^|_)unlock(?:_irq)?$")
FLUSH = re.compile(r"flush|gather_finish|shootdown")
REFERENCE = re.compile(r"_(?:ref|put|get|pin|unpin|release)$|^(?:pin|unpin)$")
RIGHT = re.compile(r"\b(?:VM|PROT|REGION|MMU|MAP)_[A-Z]|right|prot\b")
ADDRESS = re.compile(r"(?:^|>|\.)(?:start|end|va|addr|page|at|top|first_page|stop)$")
INDEX = re.compile(r"(?:^|>|\.)(?:index|first|last|npages|keep|pfn)$")
ERROR = re.compile(r"E[A-Z0-9]{2,}$")


@dataclasses.dataclass
class Token:
    text: str
    kind: str
    start: int
    end: int


@dataclasses.dataclass
class Statement:
    kind: str                   # 'if', 'while', 'for', 'switch', 'do', 'block', 'case', 'each', 'leave', 'declaration', 'expression'
    first: int                  # tokens [first, last]
    last: int
    header: tuple = None        # tokens of the condition (of a for: of all three parts), without parentheses
    inside: list = dataclasses.field(default_factory=list)
    otherwise: bool = False


@dataclasses.dataclass
class Mutant:
    file: str
    function: str
    operator: str
    line: int
    edits: list                 # (start, end, text), in characters of the file
    old: str = ""               # the statement before and after
    new: str = ""

    def apply(self, text):
        for start, end, new in sorted(self.edits, reverse=True):
            text = text[:start] + new + text[end:]
        return text

    def key(self):
        return f"{self.file} {self.function} {self.operator} :: {self.old} => {self.new}"


def tokens_of(text):
    found = []
    for match in TOKEN.finditer(text):
        if match.lastgroup != "skip":
            found.append(Token(match.group(), match.lastgroup, match.start(), match.end()))
    return found


def closing(tokens, i):
    """The token that closes the bracket at i."""
    depth = 0
    while True:
        depth += (tokens[i].text in OPEN) - (tokens[i].text in CLOSE)
        if depth == 0:
            return i
        i += 1


def functions_of(tokens):
    """Name and body (its braces) of each function."""
    i = 0
    while i < len(tokens):
        if tokens[i].text == "{":
            end = closing(tokens, i)
            if i and tokens[i - 1].text == ")":
                k, depth = i - 1, 0
                while True:
                    depth += (tokens[k].text == ")") - (tokens[k].text == "(")
                    if depth == 0:
                        break
                    k -= 1
                yield tokens[k - 1].text, i, end
            i = end
        i += 1


class Body:
    """The statements of one function."""

    def __init__(self, tokens, first, last):
        self.tokens = tokens
        self.root = self.block(first, last)

    def block(self, first, last):
        node, i = Statement("block", first, last), first + 1
        while i < last:
            child = self.statement(i)
            node.inside.append(child)
            i = child.last + 1
        return node

    def end_of_simple(self, i):
        while self.tokens[i].text != ";":
            i = closing(self.tokens, i) + 1 if self.tokens[i].text in OPEN else i + 1
        return i

    def statement(self, i):
        t = self.tokens
        word = t[i].text
        if word == "{":
            return self.block(i, closing(t, i))
        if word in ("if", "while", "for", "switch"):
            return self.with_header(word, i)
        if word == "do":
            body = self.statement(i + 1)
            close = closing(t, body.last + 2)
            return Statement("do", i, close + 1, (body.last + 3, close - 1), [body])
        if word in ("case", "default") or (t[i].kind == "name" and t[i + 1].text == ":"):
            while t[i].text != ":":
                i += 1
            return Statement("case", i, i)
        if word in LEAVES:
            return Statement("leave", i, self.end_of_simple(i))
        if t[i].kind == "name" and t[i + 1].text == "(":
            after = closing(t, i + 1) + 1
            if t[after].text == "{" or t[after].kind == "name":
                body = self.statement(after)
                return Statement("each", i, body.last, None, [body])
        if word == ";":
            return Statement("empty", i, i)
        return Statement("declaration" if self.declares(i) else "expression", i, self.end_of_simple(i))

    def with_header(self, word, i):
        t = self.tokens
        close = closing(t, i + 1)
        body = self.statement(close + 1)
        node = Statement(word, i, body.last, (i + 2, close - 1), [body])
        if word == "if" and node.last + 1 < len(t) and t[node.last + 1].text == "else":
            other = self.statement(node.last + 2)
            node.inside.append(other)
            node.otherwise, node.last = True, other.last
        return node

    def declares(self, i):
        t = self.tokens
        if t[i].text in TYPE_WORDS:
            return True
        if t[i].kind != "name":
            return False
        k = i + 1
        while t[k].text == "*":
            k += 1
        return t[k].kind == "name"


class Finder:
    """All mutants of one file."""

    def __init__(self, file, text):
        self.file, self.text, self.tokens = file, text, tokens_of(text)
        self.found = []

    def all(self):
        for self.function, first, last in functions_of(self.tokens):
            body = Body(self.tokens, first, last)
            self.local = self.locals_of(first, last)
            self.visit(body.root, in_void=self.is_void(first))
            self.lock_pairs(first, last)
        return self.found

    def is_void(self, brace):
        line = self.text.rfind("\n", 0, self.tokens[brace - 1].start)
        head = self.text[:self.tokens[brace].start].rstrip().splitlines()[-1] if line >= 0 else ""
        return bool(re.search(r"\bvoid\s+\w+\(", head))

    # ---- how a mutant is written down

    def span(self, first, last):
        return self.tokens[first].start, self.tokens[last].end

    def source(self, first, last):
        start, end = self.span(first, last)
        return self.text[start:end]

    def tidy(self, text):
        return " ".join(re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S).split())

    def add(self, operator, carrier, edits):
        """carrier: the tokens [first, last] that show what was changed."""
        start, end = self.span(*carrier)
        changed = self.text[start:end]
        for a, b, new in sorted(edits, reverse=True):
            changed = changed[:a - start] + new + changed[b - start:]
        line = self.text.count("\n", 0, min(edit[0] for edit in edits)) + 1
        mutant = Mutant(self.file, self.function, operator, line, edits, self.tidy(self.text[start:end]), self.tidy(changed) or "(nothing)")
        if mutant.old != mutant.new:
            self.found.append(mutant)

    # ---- statements

    def calls(self, first, last):
        return [self.tokens[k].text for k in range(first, last) if self.tokens[k].kind == "name" and self.tokens[k + 1].text == "("]

    def is_passive(self, first, last):
        t = self.tokens
        if PASSIVE.search(t[first].text):
            return True
        return [x.text for x in t[first:first + 3]] == ["(", "void", ")"]

    def visit(self, node, in_void):
        if node.kind in ("expression", "declaration", "leave"):
            if self.is_passive(node.first, node.last):
                return
            if node.kind == "expression":
                self.drop_statement(node)
            self.expression(node.first, node.last, (node.first, node.last))
            if node.kind == "leave":
                self.drop_leave(node, in_void)
        if node.header:
            shown = (node.first, node.header[1] + 1) if node.kind != "do" else node.header
            self.expression(*node.header, shown, node.kind)
            if node.kind in ("if", "while", "do"):
                self.negate(*node.header, shown)
            if node.kind == "if" and not node.otherwise and self.leaves(node.inside[0]):
                self.add("drop-statement", (node.first, node.last), [(*self.span(node.first, node.last), ";")])
        for child in node.inside:
            self.visit(child, in_void)
        for one, two in zip(node.inside, node.inside[1:]):
            if node.kind == "block":
                self.swap(one, two)

    def leaves(self, node):
        return node.kind == "leave" or (node.kind == "block" and node.inside and node.inside[-1].kind == "leave")

    def drop_leave(self, node, in_void):
        word = self.tokens[node.first].text
        if word in ("break", "continue") or (word == "return" and in_void):
            self.add("drop-statement", (node.first, node.last), [(*self.span(node.first, node.last), ";")])

    def drop_statement(self, node):
        calls = self.calls(node.first, node.last)
        text = self.source(node.first, node.last)
        if any(LOCK.search(c) or UNLOCK.search(c) for c in calls):
            return                      # a lock goes with its unlock: lock_pairs
        if any(FLUSH.search(c) for c in calls):
            operator = "drop-flush"
        elif any(REFERENCE.search(c) for c in calls) or re.search(r"\+\+|--|\+=|-=", text):
            operator = "drop-reference"
        else:
            operator = "drop-statement"
        self.add(operator, (node.first, node.last), [(*self.span(node.first, node.last), ";")])

    def swap(self, one, two):
        """Two neighbours change places, unless it can be seen that nobody notices."""
        if one.kind != "expression" or two.kind != "expression" or self.is_passive(one.first, one.last) or self.is_passive(two.first, two.last):
            return
        before, after = self.calls(one.first, one.last), self.calls(two.first, two.last)
        if any(LOCK.search(c) for c in after) or any(UNLOCK.search(c) for c in before):
            return                      # the lock is held for longer: no harm
        if not self.related(one, two, before, after):
            return
        a, b = self.source(one.first, one.last), self.source(two.first, two.last)
        self.add("swap-order", (one.first, two.last), [(*self.span(one.first, one.last), b), (*self.span(two.first, two.last), a)])

    def related(self, one, two, before, after):
        """May one notice the other?  Not if neither names what the other sets, and what is set is a local variable or nothing is called."""
        if self.target(one) in self.names(two) or self.target(two) in self.names(one):
            return True
        if before and after:
            return True
        quiet = two if before else one
        return bool(before or after) and self.target(quiet) not in self.local

    def name_at(self, k):
        """A member is not the variable of its name."""
        return ("." if self.tokens[k - 1].text in ("->", ".") else "") + self.tokens[k].text

    def names(self, statement):
        return {self.name_at(k) for k in range(statement.first, statement.last) if self.tokens[k].kind == "name"}

    def target(self, statement):
        """What is assigned to: the variable, or the last member on the way to it."""
        t, k, depth, last = self.tokens, statement.first, 0, ""
        while k < statement.last and (depth or t[k].text not in ("=", "+=", "-=", "|=", "&=", "^=", "<<=", ">>=")):
            depth += (t[k].text in OPEN) - (t[k].text in CLOSE)
            if depth == 0 and t[k].kind == "name":
                last = self.name_at(k)
            k += 1
        return last

    def locals_of(self, first, last):
        """Names that are declared in the function's body and whose address is never taken."""
        t, found = self.tokens, set()
        for k in range(first + 1, last):
            if t[k].kind == "name" and t[k - 1].kind == "name" and t[k - 1].text != "return" and t[k + 1].text in ("=", ",", ";"):
                found.add(t[k].text)
            elif t[k].kind == "name" and t[k - 1].text == "," and t[k + 1].text in ("=", ",", ";") and t[k - 2].kind in ("name", "number"):
                found.add(t[k].text)
        taken = {t[k].text for k in range(first + 1, last) if t[k - 1].text == "&" and t[k - 2].text in ("(", ",", "=")}
        return found - taken

    def lock_pairs(self, first, last):
        """All that a function does with one lock goes."""
        t, locks = self.tokens, {}
        for k in range(first, last):
            if t[k].kind == "name" and t[k + 1].text == "(" and (LOCK.search(t[k].text) or UNLOCK.search(t[k].text)):
                end = closing(t, k + 1)
                what = re.split(r",", self.source(k + 2, end - 1))[0] if end > k + 2 else ""
                alone = t[k - 1].text in (";", "{", "}", ")", ":", "else") and t[end + 1].text == ";"
                locks.setdefault(what, []).append((t[k].text, (t[k].start, t[end].end, "(void)0" if alone else "0"), k))
        for what, uses in locks.items():
            if any(LOCK.search(u[0]) for u in uses) and any(UNLOCK.search(u[0]) for u in uses):
                edits = [u[1] for u in uses]
                line = self.text.count("\n", 0, edits[0][0]) + 1
                self.found.append(Mutant(self.file, self.function, "drop-lock", line, edits, f"{uses[0][0]}({what}) and its unlock", "(nothing)"))

    # ---- expressions

    def negate(self, first, last, shown):
        self.add("negate", shown, [(*self.span(first, last), f"!({self.source(first, last)})")])

    def expression(self, first, last, shown, kind=""):
        t = self.tokens
        for k in range(first, last + 1):
            before, token = t[k - 1], t[k]
            after = t[k + 1] if k < last else t[last]
            binary = before.kind in ("name", "number") or before.text in (")", "]")
            edit = (token.start, token.end)
            if token.text in ("&&", "||"):
                self.add("negate", shown, [(*edit, "||" if token.text == "&&" else "&&")])
            elif token.text in ("==", "!="):
                self.add("negate", shown, [(*edit, "!=" if token.text == "==" else "==")])
            elif token.text == "!":
                self.add("negate", shown, [(*edit, "")])
            elif token.text in ("<", ">", "<=", ">="):
                self.add("off-by-one", shown, [(*edit, token.text[0] if len(token.text) > 1 else token.text + "=")])
            elif token.text in ("+", "-") and binary and after.text in ("1", "PAGE_SIZE"):
                self.add("off-by-one", shown, [(token.start, after.end, "")])
            elif token.text in ("page_floor", "page_ceil"):
                self.add("off-by-one", shown, [(*edit, "page_ceil" if token.text == "page_floor" else "page_floor")])
            elif token.text == "~" and before.text in ("&", "&=") and after.kind in ("name", "mark"):
                self.keep_right(k, last, shown)
            elif token.text == "?":
                self.choose(k, first, last, shown)
            elif token.text in ("++", "--") and kind != "for" and not (k == first or k + 1 == last and kind == ""):
                self.add("drop-reference", shown, [(*edit, "")])
            elif token.text in ("true", "false"):
                self.add("constant", shown, [(*edit, "false" if token.text == "true" else "true")])
            elif token.kind == "name" and ERROR.match(token.text) and before.text == "-":
                self.add("error-code", shown, [(*edit, "EINVAL" if token.text == "ENOMEM" else "ENOMEM")])
                self.add("error-code", shown, [(before.start, token.end, "0")])
            elif token.kind == "name" and REFERENCE.search(token.text) and after.text == "(" and k > first and before.text in ("=", ",", "(", "return"):
                end = closing(t, k + 1)
                self.add("drop-reference", shown, [(*edit, "")] if end > k + 2 else [(token.start, t[end].end, "0")])
            elif token.kind == "name" and before.text in (",", "(", "="):
                self.shift_page(k, last, shown)

    def keep_right(self, k, last, shown):
        """`x & ~RIGHT` keeps it."""
        t = self.tokens
        end = k + 1
        if t[end].text == "(":
            end = closing(t, end)
            if end + 1 <= last and t[end + 1].kind in ("name", "number"):
                end += 1                # a cast and what it is of
        if end <= last and RIGHT.search(self.source(k, end)):
            if t[k - 1].text == "&":
                self.add("keep-right", shown, [(t[k - 1].start, t[end].end, "")])

    def choose(self, k, first, last, shown):
        """`c ? a : b` is always a, or always b."""
        t = self.tokens
        colon, depth = k + 1, 0
        while depth or t[colon].text != ":":
            depth += (t[colon].text == "?") - (t[colon].text == ":")
            colon = closing(t, colon) + 1 if t[colon].text in OPEN else colon + 1
        begin = k - 1
        while begin >= first and t[begin].text not in ("=", ",", "(", "return", "?", ":", "+=", "|="):
            if t[begin].text in CLOSE:
                depth = 0
                while True:
                    depth += (t[begin].text in CLOSE) - (t[begin].text in OPEN)
                    if depth == 0:
                        break
                    begin -= 1
            begin -= 1
        condition = self.source(begin + 1, k - 1)
        operator = "keep-right" if RIGHT.search(self.source(k + 1, min(colon + 2, last))) else "negate"
        start, end = self.span(begin + 1, k - 1)
        for value in ("true", "false"):
            self.add(operator, shown, [(start, end, f"({condition}, {value})")])

    def shift_page(self, k, last, shown):
        """An address or page number that is passed on or stored, by one page."""
        t, end = self.tokens, k
        while end + 2 <= last and t[end + 1].text in ("->", ".") and t[end + 2].kind == "name":
            end += 2
        if end >= last or t[end + 1].text not in (",", ")", ";"):
            return
        name = self.source(k, end)
        step = "PAGE_SIZE" if ADDRESS.search(name) else "1" if INDEX.search(name) else None
        if step:
            self.add("off-by-one", shown, [(t[end].end, t[end].end, f" + {step}")])


def find(file, text):
    return Finder(file, text).all()
