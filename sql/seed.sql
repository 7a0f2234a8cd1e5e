-- A few users to look at. Not a migration: its name has no number. It may run twice.
insert into users (name, email, age) values
	('Ada Lovelace',   'ada@example.org',     36),
	('Alan Turing',    'alan@example.org',    41),
	('Grace Hopper',   'grace@example.org',   85),
	('Ken Thompson',   'ken@example.org',     null),
	('Barbara Liskov', 'barbara@example.org', 85)
on conflict (email) do nothing;

-- posts have no unique column that "on conflict" could look at
insert into posts (user_id, title)
select users.id, post.title
from (values
	(1, 'ada@example.org',     'Notes on the Analytical Engine'),
	(2, 'ada@example.org',     'How the engine might compose music'),
	(3, 'alan@example.org',    'On computable numbers'),
	(4, 'grace@example.org',   'The education of a computer'),
	(5, 'grace@example.org',   'A moth in relay 70'),
	(6, 'ken@example.org',     'Reflections on trusting trust'),
	(7, 'barbara@example.org', 'Programming with abstract data types')
) as post (number, email, title)
join users on users.email = post.email
where not exists (select from posts where user_id = users.id and posts.title = post.title)
order by post.number;
