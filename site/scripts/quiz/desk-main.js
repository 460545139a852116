// quiz-desk.js: the quiz's own page.

import { course, fill } from "./course.js";
import { desk } from "./desk.js";

const quiz = course();
fill(".course-quiz-desk", (place) => desk(quiz, place));
