import { expect, test } from 'vitest';
import {
  AGREEMENT_COLUMNS,
  ROW_COLUMNS,
  STATISTICS_COLUMNS,
  STEPS_COLUMNS,
  table,
} from '../../main/study/row.ts';
import { studyRow } from '../support/study-rows.ts';

test('a row becomes a record: what is not there is an empty cell, and a comma is quoted', () => {
  const row = studyRow({ image: 'ward 3/first, left.dcm', method: 'blur-ig', baseline: null });
  const [header, record, end] = table(ROW_COLUMNS, [row]).split('\r\n');
  expect(header).toBe(
    'image,frame,sha256,group,model,target,prediction,probability,scalar,method,baseline,steps,evaluations,sum,expected_sum,gap_relative,mask,map,metric,value,random,edges,seconds',
  );
  expect(record).toBe(
    `"ward 3/first, left.dcm",0,${'a'.repeat(64)},PNEUMONIA,pneumonia,PNEUMONIA,NORMAL,0.25,logit,blur-ig,,8,9,-0.5,-0.625,0.2,lungs,b.npy,insertion,0.75,0.5,,1.5`,
  );
  expect(end).toBe('');
});

test('every table has a name for each column, and none twice', () => {
  const tables = [ROW_COLUMNS, STATISTICS_COLUMNS, AGREEMENT_COLUMNS, STEPS_COLUMNS];
  for (const names of tables.map((columns) => columns.map(([name]) => name))) {
    expect(new Set(names).size).toBe(names.length);
  }
});
