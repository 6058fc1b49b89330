//! The program, its Lambdas and its endpoint through their front doors.

mod harness;
