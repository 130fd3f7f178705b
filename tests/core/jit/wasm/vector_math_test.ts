import { testVectorMath } from "./vector_math_suite.ts";

testVectorMath("with what the engine has");
