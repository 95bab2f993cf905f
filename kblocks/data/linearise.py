"""A constituency tree as a sequence of tokens, and back.

Vinyals, Kaiser, Koo, Petrov, Sutskever and Hinton (2015), "Grammar as a foreign language",
arXiv:1412.7449, section 2; Vaswani et al. (2017), arXiv:1706.03762, section 6.3. A tree is read
depth first: a bracket that opens is a token with its label, `(NP`; each word is `XX`, whatever its
part of speech; a bracket that closes is `)`:

    (S (NP (DT The) (NN dog)) (VP (VBZ barks)) (. .))   ->   (S (NP XX XX ) (VP XX ) XX )

In the paper a closing bracket repeats its label, `)NP`. Here it has none: which bracket it closes
is said by those before it, so a label could only be right or wrong, never tell anything. Without
it a sequence is a tree as soon as the brackets match, and who decodes one has to remember a depth
instead of a stack (`kblocks.decoding.TreeConstraint`).

On request a word is `XX/` and its part of speech, `(S (NP XX/DT XX/NN ) ...`, so that who predicts
the brackets predicts these as well.
"""

from collections.abc import Sequence

from kblocks.data.trees import Tree

WORD, CLOSE, OPEN = "XX", ")", "("
TAGGED = f"{WORD}/"


def linearise(tree: Tree, tags: bool = False) -> list[str]:
    """Write a tree as tokens: opening brackets with labels, `XX` for each word, closing brackets.

    Args:
        tree: The tree.
        tags: Whether the token of a word has its part of speech, `XX/NN`.

    Raises:
        ValueError: The root is a lone word, or a node with children has no label.

    Example:

    >>> from kblocks.data import linearise, parse_tree
    >>> " ".join(linearise(parse_tree("(S (NP (DT The) (NN dog)) (VP (VBZ barks)))")))
    '(S (NP XX XX ) (VP XX ) )'
    """
    if not tree.children:
        raise ValueError("The tree is a lone word; `clean_tree` puts a node above it.")
    tokens: list[str] = []
    waiting: list[Tree | None] = [tree]  # None: a bracket to be closed
    while waiting:
        node = waiting.pop()
        if node is None:
            tokens.append(CLOSE)
        elif not node.children:
            tokens.append(f"{TAGGED}{node.label}" if tags else WORD)
        elif not node.label:
            raise ValueError("A node with children has no label, so no token opens it.")
        else:
            tokens.append(OPEN + node.label)
            waiting.append(None)
            waiting.extend(reversed(node.children))
    return tokens


def tree_of(tokens: Sequence[str], words: Sequence[str], tags: Sequence[str] | None = None) -> Tree:
    """Read a tree from the tokens that `linearise` writes, and hang the words into it.

    Args:
        tokens: The tokens, without any that start, end or pad a sequence.
        words: The words of the sentence.
        tags: Their parts of speech; if absent those of the tokens, `XX` where these have none.

    Raises:
        ValueError: The tokens are no tree over these words (names the token's place, from 0).

    Example:

    >>> from kblocks.data import tree_of
    >>> tree_of(["(S", "(NP", "XX", ")", "(VP", "XX", ")", ")"], ["Dogs", "bark"])
    <Tree (S (NP (XX Dogs)) (VP (XX bark)))>
    """
    if tags is not None and len(tags) != len(words):
        raise ValueError(f"`tags` must be one for each of the {len(words)} words, got {len(tags)}.")
    stack: list[tuple[str, list[Tree]]] = []  # the brackets that are open: label, children
    root: Tree | None = None
    word = 0
    for place, token in enumerate(tokens):
        if root is not None:
            raise ValueError(f"token {place}: {token!r} stands behind the end of the tree.")
        if token.startswith(OPEN) and len(token) > 1:
            stack.append((token[1:], []))
        elif token not in (WORD, CLOSE) and not token.startswith(TAGGED):
            raise ValueError(f"token {place}: expected `(LABEL`, `XX` or `)`, got {token!r}.")
        elif not stack:
            raise ValueError(f"token {place}: {token!r} stands outside of brackets.")
        elif token != CLOSE:
            if word == len(words):
                raise ValueError(f"token {place}: the sentence has only {len(words)} words.")
            tag = token.removeprefix(TAGGED) if tags is None else tags[word]
            stack[-1][1].append(Tree(tag, words[word]))
            word += 1
        else:
            label, children = stack.pop()
            if not children:
                raise ValueError(f"token {place}: the bracket of {label!r} closes empty.")
            node = Tree(label, None, tuple(children))
            if stack:
                stack[-1][1].append(node)
            else:
                root = node
    if root is None:
        raise ValueError(f"the {len(tokens)} tokens end with {len(stack)} brackets open.")
    if word < len(words):
        raise ValueError(f"the tree holds {word} of the {len(words)} words.")
    return root
