// quiz.js: the questions on the pages of topics. The quiz's own page needs more, which is added there.

import { block } from "./block.js";
import { course, fill } from "./course.js";
import { added } from "./data.js";

const quiz = course();
fill(".course-quiz", (place) => block(quiz, place));
fill(".course-quiz-desk", async () => {
  await added("ts-fsrs.js");
  await added("quiz-desk.js");
});
