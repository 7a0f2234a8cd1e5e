/* catalogue.c - what the database has for the models, asked of PostgreSQL's pg_catalog. */
#include "orm/catalogue.h"

ATH_DECLARE_READING_(ath_live_table)
ATH_DECLARE_READING_(ath_live_column)
ATH_DECLARE_READING_(ath_live_constraint)
ATH_DECLARE_READING_(ath_live_index)

ATH_MODEL_RESULT(ath_live_table, ATH_COLUMN(ath_live_table, number),
		 ATH_COLUMN(ath_live_table, oid),
		 ATH_COLUMN(ath_live_table, kind, .nullable = true),
		 ATH_COLUMN(ath_live_table, has_trigger));

ATH_MODEL_RESULT(ath_live_column, ATH_COLUMN(ath_live_column, number),
		 ATH_COLUMN(ath_live_column, name), ATH_COLUMN(ath_live_column, type),
		 ATH_COLUMN(ath_live_column, base), ATH_COLUMN(ath_live_column, family),
		 ATH_COLUMN(ath_live_column, not_null), ATH_COLUMN(ath_live_column, has_default),
		 ATH_COLUMN(ath_live_column, generated), ATH_COLUMN(ath_live_column, counted),
		 ATH_COLUMN(ath_live_column, checked), ATH_COLUMN(ath_live_column, labels));

ATH_MODEL_RESULT(ath_live_constraint, ATH_COLUMN(ath_live_constraint, number),
		 ATH_COLUMN(ath_live_constraint, name), ATH_COLUMN(ath_live_constraint, kind),
		 ATH_COLUMN(ath_live_constraint, columns), ATH_COLUMN(ath_live_constraint, target),
		 ATH_COLUMN(ath_live_constraint, target_name),
		 ATH_COLUMN(ath_live_constraint, target_columns),
		 ATH_COLUMN(ath_live_constraint, on_delete),
		 ATH_COLUMN(ath_live_constraint, on_update),
		 ATH_COLUMN(ath_live_constraint, definition));

ATH_MODEL_RESULT(ath_live_index, ATH_COLUMN(ath_live_index, number),
		 ATH_COLUMN(ath_live_index, name), ATH_COLUMN(ath_live_index, method),
		 ATH_COLUMN(ath_live_index, is_unique), ATH_COLUMN(ath_live_index, is_valid),
		 ATH_COLUMN(ath_live_index, is_partial), ATH_COLUMN(ath_live_index, columns));

/* The names that were asked for, and what each of them means in this session. */
#define TABLES                                                                                     \
	"with recursive tables as ("                                                               \
	" select t.number, to_regclass(t.name) as oid"                                             \
	" from unnest(cast(:names as text[])) with ordinality as t(name, number)) "

/* The names of the columns of a relation whose numbers stand in an array. */
#define NAMES_OF(numbers, relation)                                                                \
	"coalesce((select array_agg(a.attname::text order by k.place)"                             \
	" from unnest(" numbers ") with ordinality as k(number, place)"                            \
	" join pg_attribute a on a.attrelid = " relation " and a.attnum = k.number), '{}')"

/* Bits of pg_trigger.tgtype. */
#define BEFORE_ROW_INSERT "(1 + 2 + 4)"

static void read_tables(struct ath_session *session, struct ath_text_array names,
			struct ath_catalogue *catalogue)
{
	catalogue->tables = ath_sql(session, ath_live_table,
				    TABLES "select t.number, c.oid::bigint as oid,"
					   " c.relkind::text as kind, exists (select"
					   "  from pg_trigger g where g.tgrelid = t.oid"
					   "  and not g.tgisinternal and g.tgenabled <> 'D'"
					   "  and g.tgtype & " BEFORE_ROW_INSERT " ="
					   "  " BEFORE_ROW_INSERT ") as has_trigger"
					   " from tables t left join pg_class c on c.oid = t.oid"
					   " order by t.number",
				    ATH_BIND("names", names));
}

/* Of a domain over a domain all that they ask for holds. */
static void read_columns(struct ath_session *session, struct ath_text_array names,
			 struct ath_catalogue *catalogue)
{
	catalogue->columns = ath_sql(
		session, ath_live_column,
		TABLES ", bases as ("
		       " select t.number, a.attrelid, a.attnum, a.atttypid as type,"
		       "  a.atttypmod as modifier, a.attnotnull as not_null, false as checked,"
		       "  0 as depth"
		       " from tables t join pg_attribute a on a.attrelid = t.oid"
		       " where a.attnum > 0 and not a.attisdropped"
		       " union all"
		       " select b.number, b.attrelid, b.attnum, d.typbasetype,"
		       "  case when d.typtypmod < 0 then b.modifier else d.typtypmod end,"
		       "  b.not_null or d.typnotnull,"
		       "  b.checked or exists (select from pg_constraint k"
		       "   where k.contypid = d.oid and k.contype = 'c'), b.depth + 1"
		       " from bases b join pg_type d on d.oid = b.type and d.typtype = 'd') "
		       "select distinct on (b.number, b.attnum) b.number, a.attname::text as name,"
		       " format_type(a.atttypid, a.atttypmod) as type,"
		       " format_type(b.type, b.modifier) as base,"
		       " format_type(b.type, null) as family, b.not_null,"
		       " a.atthasdef and a.attgenerated = '' as has_default,"
		       " a.attgenerated <> '' as generated, a.attidentity <> '' as counted,"
		       " b.checked, coalesce((select array_agg(e.enumlabel::text"
		       "  order by e.enumsortorder) from pg_enum e where e.enumtypid = b.type),"
		       "  '{}') as labels"
		       " from bases b join pg_attribute a"
		       " on a.attrelid = b.attrelid and a.attnum = b.attnum"
		       " order by b.number, b.attnum, b.depth desc",
		ATH_BIND("names", names));
}

static void read_constraints(struct ath_session *session, struct ath_text_array names,
			     struct ath_catalogue *catalogue)
{
	catalogue->constraints = ath_sql(
		session, ath_live_constraint,
		TABLES
		"select t.number, c.conname::text as name, c.contype::text as kind,"
		" " NAMES_OF(
			"c.conkey",
			"c.conrelid") " as columns,"
				      " c.confrelid::bigint as target,"
				      " c.confrelid::regclass::text as target_name,"
				      " " NAMES_OF(
					      "c.confkey",
					      "c.confrelid") " as target_columns,"
							     " c.confdeltype::text as on_delete, "
							     "c.confupdtype::text as on_update,"
							     " pg_get_constraintdef(c.oid) as "
							     "definition"
							     " from tables t join pg_constraint c "
							     "on c.conrelid = t.oid"
							     " order by t.number, c.conname",
		ATH_BIND("names", names));
}

static void read_indexes(struct ath_session *session, struct ath_text_array names,
			 struct ath_catalogue *catalogue)
{
	catalogue->indexes = ath_sql(
		session, ath_live_index,
		TABLES "select t.number, c.relname::text as name, m.amname::text as method,"
		       " i.indisunique as is_unique, i.indisvalid as is_valid,"
		       " i.indpred is not null as is_partial,"
		       " (select array_agg(coalesce(a.attname::text, '') order by k.place)"
		       "  from unnest(i.indkey::int2[]) with ordinality as k(number, place)"
		       "  left join pg_attribute a"
		       "  on a.attrelid = i.indrelid and a.attnum = k.number and k.number > 0"
		       "  where k.place <= i.indnkeyatts) as columns"
		       " from tables t join pg_index i on i.indrelid = t.oid"
		       " join pg_class c on c.oid = i.indexrelid join pg_am m on m.oid = c.relam"
		       " order by t.number, c.relname",
		ATH_BIND("names", names));
}

void ath_catalogue_read(struct ath_session *session, struct ath_text_array names,
			struct ath_catalogue *catalogue)
{
	read_tables(session, names, catalogue);
	read_columns(session, names, catalogue);
	read_constraints(session, names, catalogue);
	read_indexes(session, names, catalogue);
}
