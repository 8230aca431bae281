-- A shop: products with prices, texts in several languages and tags, stock in warehouses, customers and their orders.

CREATE TABLE tb_product (
    pk_product bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sku        text          NOT NULL UNIQUE,
    price      numeric(10,2) NOT NULL CHECK (price >= 0)
);
-- One row per language.
CREATE TABLE tb_product_text (
    fk_product  bigint NOT NULL REFERENCES tb_product ON DELETE CASCADE,
    language    text   NOT NULL,
    name        text   NOT NULL,
    description text   NOT NULL,
    PRIMARY KEY (fk_product, language)
);
CREATE TABLE tb_tag (
    pk_tag bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slug   text NOT NULL UNIQUE
);
-- Many products have many tags.
CREATE TABLE tb_product_tag (
    fk_product bigint NOT NULL REFERENCES tb_product ON DELETE CASCADE,
    fk_tag     bigint NOT NULL REFERENCES tb_tag ON DELETE CASCADE,
    PRIMARY KEY (fk_product, fk_tag)
);
CREATE INDEX ON tb_product_tag (fk_tag);
CREATE TABLE tb_warehouse (
    pk_warehouse bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    city         text NOT NULL
);
CREATE TABLE tb_stock (
    fk_product   bigint NOT NULL REFERENCES tb_product ON DELETE CASCADE,
    fk_warehouse bigint NOT NULL REFERENCES tb_warehouse,
    quantity     int    NOT NULL,
    PRIMARY KEY (fk_product, fk_warehouse)
);
CREATE INDEX ON tb_stock (fk_warehouse);
CREATE TABLE tb_customer (
    pk_customer bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL,
    language    text NOT NULL
);
CREATE TABLE tb_order (
    pk_order    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fk_customer bigint      NOT NULL REFERENCES tb_customer,
    placed_at   timestamptz NOT NULL DEFAULT now(),
    status      text        NOT NULL DEFAULT 'placed'
);
CREATE INDEX ON tb_order (fk_customer);
-- The price is that of the moment of the order.
CREATE TABLE tb_order_line (
    fk_order   bigint        NOT NULL REFERENCES tb_order ON DELETE CASCADE,
    line       int           NOT NULL,
    fk_product bigint        NOT NULL REFERENCES tb_product,
    quantity   int           NOT NULL,
    unit_price numeric(10,2) NOT NULL,
    PRIMARY KEY (fk_order, line)
);
CREATE INDEX ON tb_order_line (fk_product);

INSERT INTO tb_product (sku, price) SELECT 'P' || i, 1 + i % 90 + 0.95 FROM generate_series(1, 200) i;
INSERT INTO tb_product_text
SELECT p, l.language, l.word || ' ' || p, l.sentence
  FROM generate_series(1, 200) p,
       (VALUES ('en', 'Cup', 'A fine cup.'), ('fr', 'Tasse', 'Une belle tasse.'), ('de', 'Tasse', 'Eine feine Tasse.')) AS l(language, word, sentence);
INSERT INTO tb_tag (slug) SELECT unnest('{new,sale,handmade,blue,large,gift,glass,kids,outdoor,vegan}'::text[]);
INSERT INTO tb_product_tag SELECT p, 1 + (p * t) % 10 FROM generate_series(1, 200) p, generate_series(1, 3) t ON CONFLICT DO NOTHING;
INSERT INTO tb_warehouse (city) VALUES ('Lyon'), ('Essen'), ('Leeds');
INSERT INTO tb_stock SELECT p, w, 100 FROM generate_series(1, 200) p, generate_series(1, 3) w;
INSERT INTO tb_customer (name, language) SELECT 'Customer ' || i, (ARRAY['en', 'fr', 'de'])[1 + i % 3] FROM generate_series(1, 300) i;
INSERT INTO tb_order (fk_customer, placed_at) SELECT 1 + i % 300, timestamptz '2026-01-01' + i * interval '1 hour' FROM generate_series(1, 1500) i;
INSERT INTO tb_order_line SELECT o, l, 1 + (o * 7 + l * 13) % 200, 1 + l % 3, 9.95 FROM generate_series(1, 1500) o, generate_series(1, 3) l;
ANALYZE;
