"""Short and familiar forms of forenames that are in use in England.

Written down here from general knowledge; it is short on purpose. A form that is
missing makes two names differ, which can only lose a link, never make one.
"""

from collections.abc import Iterator
from typing import Final

_FORMS: Final = """
abigail abi abby gail
albert bert bertie al
alexander alex alec sandy xander
alexandra alex sandra alexa sandy
alfred alf alfie fred
alison ali
amanda mandy
andrew andy drew
angela angie
ann anne anna annie
anthony antony tony
archibald archie
arthur art
barbara barb babs
benjamin ben benny
bernard bernie
bridget biddy bridie
catherine katherine kathryn katharine cath kate kathy cathy katie kat kitty
charles charlie chas chuck
charlotte charlie lottie
christina christine chris tina chrissie
christopher chris kit topher
clifford cliff
daniel dan danny
david dave davy dai
deborah debra deb debbie
dennis den denny
dominic dom
donald don donny
dorothy dot dottie dolly
douglas doug
edward ed eddie ned ted teddy
eleanor ellie nell nora elle
elizabeth elisabeth liz lizzie beth betty eliza elsie lisa bess libby
emily em emmy
ernest ernie
florence flo florrie flossie
frances fran francesca frankie
francis frank frankie
frederick fred freddie
gabriel gabe
gareth gary gaz
geoffrey jeffrey geoff jeff
george georgie
gerald gerard gerry jerry
gillian gill jill
gordon gord
graham graeme
gregory greg
gwendoline gwen
harold harry hal
harriet hattie
helen nell nellie
henry harry hal
herbert bert herb
hugh hughie huw
isaac zac ike
isabel isobel isabella bella izzy
jacob jake
jacqueline jackie
james jim jimmy jamie
janet jan
jane janie
jennifer jen jenny
jessica jess jessie
joan joanie
joanna joanne jo
john jack johnny jon
jonathan jon jonny
joseph joe joey
josephine jo josie
joshua josh
judith judy
julia julie
katherine kitty
kenneth ken kenny
kimberley kim
laurence lawrence larry laurie
leonard len lenny leo
leslie les
lewis louis lou
linda lynda lin
louise lou
lucy lucinda
madeleine maddie
margaret maggie marge meg peggy madge rita greta mags
martin marty
mary molly polly mollie
matilda tilly
matthew matt
maureen mo
maxwell maximilian max
michael mike mick mickey micky
michelle shell shelley
mohammed muhammad mohammad mohamed muhammed mohamad md
nathan nathaniel nat nate
nicholas nicolas nick nicky
nicola nicky nikki
norman norm
oliver ollie
olivia liv livvy
pamela pam
patricia pat patsy tricia trish paddy
patrick pat paddy
peter pete
philip phillip phil pip
priscilla cilla
rachel rachael rach
raymond ray
rebecca becky becca bex
richard rick dick rich richie ricky
robert rob bob bobby robbie bert
roger rog
ronald ron ronnie
rosemary rosie rose
russell russ
samantha sam sammy
samuel sam sammy
sarah sara sally sadie
sebastian seb
sidney sydney sid
stanley stan
stephen steven steve stevie
stephanie steph
stuart stewart stu
susan sue susie suzanne suzie
sylvia syl
teresa theresa terry tess tessa
terence terry tel
thomas tom tommy
timothy tim
valerie val
veronica ronnie
victor vic
victoria vicky tori
vincent vince vinny
violet vi
virginia ginny
vivian viv
walter wally walt
wilfred wilf
william will bill billy liam wills
winifred win winnie
yvonne eve
zachary zac zach zak
"""


def _pairs() -> Iterator[tuple[str, str]]:
    for line in _FORMS.split("\n"):
        first, *others = line.split() or [""]
        yield from ((first, other) for other in others)


# A form and what it is short for, not two forms of one name: Chris may be Christina
# or Christopher, who are not each other.
_SAME: Final = frozenset(_pairs())


def are_forms_of_one(one: str, other: str) -> bool:
    """Whether one of two folded forenames is a known form of the other."""
    return (one, other) in _SAME or (other, one) in _SAME
