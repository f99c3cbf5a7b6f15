-- The bank's side. It knows nothing of Omium; every amount is a whole number of cents.

CREATE TABLE account (
    id       text PRIMARY KEY,
    owner    text NOT NULL,
    currency text NOT NULL,
    opening  bigint NOT NULL,
    balance  bigint NOT NULL,
    closed   boolean NOT NULL,
    own      boolean NOT NULL,  -- the bank's own accounts may be overdrawn, customers' may not
    CHECK (own OR balance >= 0)
);

-- What customers asked for, one row for each line of their file, and what became of it. Who takes it down owns it.
CREATE TABLE instruction (
    line     integer PRIMARY KEY,
    owner    text NOT NULL,
    batch    integer NOT NULL,
    order_id text NOT NULL,
    currency text NOT NULL,
    cents    bigint,            -- nothing where the amount cannot be read
    status   text CHECK (status IN ('booked', 'rejected')),
    reason   text,
    CHECK ((status = 'rejected') = (reason IS NOT NULL))
);

-- A booking is its entries, which add up to nothing. Its key is the caller's: asked for twice, it is booked once.
CREATE TABLE booking (
    key      text PRIMARY KEY,
    kind     text NOT NULL CHECK (kind IN ('reserve', 'release', 'payout')),
    order_id text NOT NULL,
    asked    integer NOT NULL DEFAULT 1,
    booked   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE entry (
    booking text NOT NULL REFERENCES booking,
    account text NOT NULL REFERENCES account,
    cents   bigint NOT NULL CHECK (cents <> 0),
    PRIMARY KEY (booking, account)
);

-- What the clearing house was told of a batch, until it is withdrawn.
CREATE TABLE announcement (
    key       text NOT NULL,
    batch     integer NOT NULL,
    currency  text NOT NULL,
    cents     bigint NOT NULL,
    withdrawn boolean NOT NULL DEFAULT false,
    PRIMARY KEY (key, currency)
);

-- The mail server. Its key is not unique: whoever sends twice has sent twice, and the books will say so.
CREATE TABLE notice (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key       text NOT NULL,
    line      integer NOT NULL,
    recipient text NOT NULL,
    body      text NOT NULL
);

-- Keys under which nothing was found when somebody asked, and so nothing may ever happen any more.
CREATE TABLE void (key text PRIMARY KEY);
